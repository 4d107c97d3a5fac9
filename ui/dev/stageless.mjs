// A scene of the mock: a pipeline that ended before its first stage, of an application whose name is one long word.

export function stageless(made) {
  const application = 'storefront'.repeat(6)
  const id = '01M8NOSTAGES'
  const at = new Date().toISOString()
  const problems = [{ code: 'execution.ended', message: 'The pipeline has no stages.' }]
  const ended = { id, application, name: 'nothing-to-do', status: 'TERMINAL', startTime: at, endTime: at, waitingFor: '', problems, currentStage: null, failedStage: null }
  const execution = { ...made.answers[`/api/v1/executions/${made.open}`], ...ended, stages: [] }
  const own = `/api/v1/applications/${application}`
  Object.assign(made.answers, {
    '/api/v1/applications': { applications: [application] },
    [`/api/v1/executions/${id}`]: execution,
    [`${own}/deliveries`]: { deliveries: [], others: [execution] },
    [`${own}/releases`]: { releases: [] },
  })
  return { ...made, open: id }
}
