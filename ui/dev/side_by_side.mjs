// A scene of the mock: stages that run side by side.

/** Beside the delivery's own stages: one with nothing to do with them, and two between staging and production. */
export function sideBySide(made) {
  for (const answer of Object.values(made.answers)) {
    const [staging, production] = answer.stages?.filter((one) => one.type === 'deploy' && one.parentId === null) ?? []
    if (!production) continue
    const beside = (refId, name, requisiteStageRefIds) => {
      const own = { id: `beside-${refId}`, refId, name, type: 'webhook', requisiteStageRefIds }
      return { ...staging, ...own, context: {}, outputs: {}, tasks: [] }
    }
    answer.stages.push(beside('b1', 'Tell the team', []), beside('b2', 'Scan the image', []), beside('b3', 'Load test', ['b2']))
    production.requisiteStageRefIds.push('b3')
  }
  return made
}
