// The flow of a delivery, from recorded answers of a real server.

import { describe, expect, it } from 'vitest'
import type { Delivery, Execution, Release } from '../src/api/types'
import { nextNames, targetsAfter } from '../src/model/after'
import { flow, mostInteresting } from '../src/model/flow'
import { standing } from '../src/model/status'
import { stateOf } from '../src/model/wording'

interface Recorded {
  open: string
  answers: Record<string, unknown>
}

const SCENES = import.meta.glob<Recorded>('../dev/recorded/*.json', { eager: true, import: 'default' })

function recorded(name: string) {
  const scene = SCENES[`../dev/recorded/${name}.json`]
  if (!scene) throw new Error(`there is no scene ${name}`)
  const { open, answers } = scene
  const { deliveries } = answers['/api/v1/applications/shop/deliveries'] as { deliveries: Delivery[] }
  const { releases } = answers['/api/v1/applications/shop/releases'] as { releases: Release[] }
  const delivery = deliveries.find((one) => one.id === open)
  if (!delivery) throw new Error(`${name} holds no delivery ${open}`)
  const execution = (id: string | undefined) => answers[`/api/v1/executions/${id}`] as Execution | undefined
  const parts = { delivery, build: execution(delivery.build?.id), execution: execution(delivery.delivery?.id), releases }
  return { ...parts, phases: flow({ ...parts, now: Date.parse('2026-11-24T03:46:00Z') }) }
}

function words(name: string): string[] {
  return recorded(name).phases.map((one) => `${one.name}: ${one.standing.word}`)
}

describe('the flow of a delivery', () => {
  it('shows every phase of a delivery that waits for its approval', () => {
    expect(words('approval')).toEqual([
      'Commit: Pushed',
      'Build: Succeeded',
      'Image: Succeeded',
      'Staging: Succeeded',
      'Canary: Succeeded',
      'Approve: Needs a decision',
      'Production: Not started',
      'Release: Not started',
    ])
  })

  it('shows tests of a deployment in the phase of the deployment', () => {
    const staging = recorded('approval').phases.find((one) => one.name === 'Staging')

    expect(staging?.steps.map((one) => one.name)).toEqual(['Staging', 'Smoke test', 'Integration tests', 'End-to-end tests'])
  })

  it('shows only what is known while the build runs', () => {
    expect(words('building')).toEqual(['Commit: Pushed', 'Build: Running', 'Image: Not started'])
  })

  it('tells which step of the build runs', () => {
    const build = recorded('building').phases[1]

    expect(build?.steps.filter((one) => one.standing.tone === 'running').map((one) => one.name)).toEqual(['Integration tests'])
  })

  it('shows the whole way of a pipeline that builds and deploys', () => {
    const { build, execution, delivery, releases } = recorded('released')
    const building = build?.stages.find((one) => one.type === 'build')
    if (!build || !execution || !building) throw new Error('the scene holds no build')
    const rest = execution.stages.map((one) => ({ ...one, requisiteStageRefIds: one.parentId ? one.requisiteStageRefIds : [building.refId, ...one.requisiteStageRefIds] }))
    const whole = { ...build, id: execution.id, stages: [building, ...rest] }
    const parts = { delivery: { ...delivery, build: whole, delivery: null, isDeployedByBuild: true }, build: whole, execution: undefined, releases }

    const phases = flow({ ...parts, now: Date.parse('2026-11-24T03:46:00Z') })

    expect(phases.map((one) => one.name)).toEqual(['Commit', 'Build', 'Image', 'Staging', 'Canary', 'Approve', 'Production', 'Release'])
    expect(phases.find((one) => one.kind === 'image')?.steps.map((one) => one.name)).toEqual(['Build image', 'Push to registry'])
    expect(phases.at(-1)?.releases.map((one) => one.cluster)).toEqual(['shop-prod'])
  })

  it('says who has started a delivery that no image has', () => {
    const { build, execution, delivery, releases } = recorded('released')
    if (!delivery.delivery) throw new Error('the scene holds no delivery')
    const byHand = { ...delivery, delivery: { ...delivery.delivery, trigger: { type: 'manual' }, user: 'ada' } }

    const image = flow({ delivery: byHand, build, execution, releases, now: 0 }).find((one) => one.kind === 'image')

    expect(image?.steps.at(-1)).toMatchObject({ name: 'Started by ada', seconds: null })
    expect(image?.end).toBe(delivery.build?.endTime)
  })

  it('ends with the release of production, never with that of staging', () => {
    const { phases } = recorded('released')

    expect(phases.at(-1)?.releases.map((one) => one.cluster)).toEqual(['shop-prod'])
    expect(phases.at(-1)?.note).toBe('old one warm for 58 min 30 s')
    expect(words('caught').at(-1)).toBe('Release: Not started')
  })

  it('shows a canary that has failed, with why', () => {
    const canary = recorded('caught').phases.find((one) => one.kind === 'canary')

    expect(canary?.standing).toEqual({ tone: 'bad', word: 'Failed' })
    expect(canary?.note).toBe('score 0')
    expect(canary?.problems[0]?.message).toContain('errors per 100 requests (critical) is High')
  })

  it('tells of an image that could not be made at the image, with when and why', () => {
    const { delivery, build, releases } = recorded('released')
    const problems = [{ code: 'build.image', message: 'buildah ended with status 1.', details: { log: 'no such file' } }]
    const ended = { status: 'TERMINAL' as const, endTime: '2026-11-24T03:40:00Z', problems }
    const stages = (build?.stages ?? []).map((stage) =>
      stage.type === 'build'
        ? {
            ...stage,
            ...ended,
            tasks: stage.tasks.map((task) => (task.name === 'buildImage' ? { ...task, status: 'TERMINAL' as const } : task)),
          }
        : stage,
    )
    const failed = { ...delivery, delivery: null, image: null, build: { ...delivery.build, ...ended } } as Delivery
    const phases = flow({ delivery: failed, build: { ...build, ...ended, stages } as Execution, execution: undefined, releases, now: 0 })
    const [made, image] = [phases.find((one) => one.kind === 'build'), phases.find((one) => one.kind === 'image')]

    expect([made?.standing.word, made?.problems]).toEqual(['Succeeded', []])
    expect([image?.standing.word, image?.problems]).toEqual(['Failed', problems])
    expect(image?.end).not.toBeNull()
  })

  it.each([
    ['approval', 'Approve'],
    ['caught', 'Canary'],
    ['building', 'Build'],
    ['released', 'Production'],
  ])('opens %s at %s as a whole', (name, phase) => {
    const found = mostInteresting(recorded(name).phases)

    expect([found.phase?.name, found.step]).toEqual([phase, null])
  })

  it('opens a failed test of a deployment at the test, not at the deployment', () => {
    const { phases } = recorded('approval')
    const bad = standing('TERMINAL')
    const failed = phases.map((one) =>
      one.name === 'Staging'
        ? { ...one, standing: bad, steps: one.steps.map((step) => (step.name === 'Smoke test' ? { ...step, standing: bad } : step)) }
        : { ...one, standing: standing('SUCCEEDED') },
    )

    const found = mostInteresting(failed)

    expect([found.phase?.name, found.step?.name]).toEqual(['Staging', 'Smoke test'])
  })

  it.each([
    ['building', 'Running: Build shop'],
    ['canary', 'Running: Canary'],
    ['approval', 'Approve: needs a decision'],
    ['released', 'Delivered'],
    ['caught', 'Failed at Canary'],
  ])('says of %s: %s', (name, phrase) => {
    const { delivery, releases } = recorded(name)

    expect(stateOf(delivery, releases).phrase).toBe(phrase)
  })

  it.each<[Release['state'], Release['state'], string]>([
    ['rolled-back', undefined, 'Delivered, then rolled back'],
    ['superseded', undefined, 'Delivered'],
    [undefined, 'rolled-back', 'Delivered'],
  ])('says of a delivery whose release of production is %s and of staging %s: %s', (production, staging, phrase) => {
    const { delivery, releases } = recorded('released')
    const now = releases.map((one) => ({ ...one, state: one.cluster === 'shop-prod' ? production : staging }))

    expect(stateOf(delivery, now).phrase).toBe(phrase)
  })
})

describe('what an approval leads to', () => {
  it('names the next stage and the clusters that change', () => {
    const { execution } = recorded('approval')
    const stage = execution?.stages.find((one) => one.type === 'manualJudgment')
    if (!execution || !stage) throw new Error('the scene has lost its judgment')

    expect(nextNames(execution, stage)).toEqual(['Production'])
    expect(targetsAfter(execution, stage)).toEqual(['shop-prod'])
  })
})
