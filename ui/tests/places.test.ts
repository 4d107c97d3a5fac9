// Where phases are drawn: side by side is one below the other, and lines only where one comes after another.

import { describe, expect, it } from 'vitest'
import type { Execution, Stage } from '../src/api/types'
import { flow } from '../src/model/flow'
import { layout } from '../src/model/places'
import { stagePhases } from '../src/model/stage_phases'

/** "C: A B" is a phase C after A and B. */
function drawn(...lines: string[]): { places: string[]; edges: string[] } {
  const phases = lines.map((line) => {
    const [id = '', after = ''] = line.split(':')
    return { id, after: after.split(' ').filter(Boolean) }
  })
  const { places, edges } = layout(phases)
  return {
    places: phases.map(({ id }) => `${id} ${places.get(id)?.column}/${places.get(id)?.row}`),
    edges: edges.map(({ from, to }) => `${from}${to}`),
  }
}

describe('the layout of phases', () => {
  it('draws a chain in one row', () => {
    expect(drawn('A', 'B: A', 'C: B')).toEqual({ places: ['A 1/1', 'B 2/1', 'C 3/1'], edges: ['AB', 'BC'] })
  })

  it('draws what has nothing between it one below the other, without a line', () => {
    expect(drawn('A', 'B', 'C')).toEqual({ places: ['A 1/1', 'B 1/2', 'C 1/3'], edges: [] })
  })

  it('draws a fork and its join', () => {
    const { places, edges } = drawn('A', 'B: A', 'C: A', 'D: B C')

    expect(places).toEqual(['A 1/1', 'B 2/1', 'C 2/2', 'D 3/1'])
    expect(edges).toEqual(['AB', 'AC', 'BD', 'CD'])
  })

  it('keeps the row free through which a line passes', () => {
    expect(drawn('A', 'B', 'C: B', 'D: A C').places).toEqual(['A 1/1', 'B 1/2', 'C 2/2', 'D 3/1'])
    expect(drawn('A', 'B: A', 'C: A', 'D: B', 'E: A', 'F: C D E').places).toEqual(['A 1/1', 'B 2/1', 'C 2/2', 'D 3/1', 'E 2/3', 'F 4/1'])
  })

  it('draws no line beside a longer way to the same place', () => {
    expect(drawn('A', 'B: A', 'C: A B').edges).toEqual(['AB', 'BC'])
  })

  it('turns the lines of two forks in lanes of their own, and those of a fork or a join in one', () => {
    const lanes = (...lines: string[]) => {
      const phases = lines.map((line) => {
        const [id = '', after = ''] = line.split(':')
        return { id, after: after.split(' ').filter(Boolean) }
      })
      return layout(phases).edges.map(({ from, to, lane }) => `${from}${to} ${lane}`)
    }

    expect(lanes('A', 'B', 'C: A', 'D: A', 'E: B', 'F: B')).toEqual(['AC 0', 'AD 0', 'BE 1', 'BF 1'])
    expect(lanes('A', 'B: A', 'C: A', 'D: B C')).toEqual(['AB 0', 'AC 0', 'BD 0', 'CD 0'])
    expect(lanes('A', 'B: A', 'C: A', 'D', 'E: D', 'F: D')).toEqual(['AB 0', 'AC 0', 'DE 1', 'DF 1'])
  })

  it('finds a place for everything, whatever comes after what', () => {
    expect(drawn('A: C', 'B: A', 'C: B').places).toHaveLength(3)
    expect(drawn('A: gone').places).toEqual(['A 1/1'])
  })
})

function stage(refId: string, type: string, ...after: string[]): Stage {
  return {
    id: `s${refId}`,
    refId,
    type,
    name: `${type} ${refId}`,
    status: 'NOT_STARTED',
    requisiteStageRefIds: after,
    parentId: null,
    side: null,
    startTime: null,
    endTime: null,
    waitingFor: '',
    context: {},
    outputs: {},
    problems: [],
    judgedBy: null,
    judgedAt: null,
    tasks: [],
  }
}

function execution(...stages: Stage[]): Execution {
  return { id: 'run', application: 'shop', stages } as Partial<Execution> as Execution
}

describe('what comes after what', () => {
  it('follows what the stages require', () => {
    const run = execution(stage('1', 'bake'), stage('2', 'script'), stage('3', 'approve', '1', '2'))

    expect(stagePhases(run).map(({ id, after }) => [id, after])).toEqual([
      ['s1', []],
      ['s2', []],
      ['s3', ['s1', 's2']],
    ])
  })

  it('takes a test to the deployment that it tests, not to one beside it', () => {
    const run = execution(stage('1', 'deploy'), stage('2', 'wait'), stage('3', 'deploy'), stage('4', 'httpCheck', '1'), stage('5', 'runJob', '4'), stage('6', 'httpCheck', '1', '3'))

    const phases = stagePhases(run)

    expect(phases.map(({ name, after }) => [name, after])).toEqual([
      ['deploy 1', []],
      ['wait 2', []],
      ['deploy 3', []],
      ['httpCheck 6', ['s1', 's3']],
    ])
    expect(phases[0]?.steps.map((one) => one.name)).toEqual(['deploy 1', 'httpCheck 4', 'runJob 5'])
  })

  it('puts the release behind everything', () => {
    const clusters = [{ application: 'shop', gracePeriod: 'PT1H' }]
    const run = execution({ ...stage('1', 'deploy'), context: { clusters } }, stage('2', 'script'))

    const phases = flow({ delivery: null, build: undefined, execution: run, releases: [], now: 0 })

    expect(phases.map(({ name, after }) => [name, after])).toEqual([
      ['deploy 1', []],
      ['script 2', []],
      ['Release', ['s1', 's2']],
    ])
  })
})

it('a wide join has a line from each of its branches, and is laid out at once', () => {
  const branches = Array.from({ length: 2000 }, (_, place) => ({ id: `branch${place}`, after: ['start'] }))
  const ids = branches.map(({ id }) => id)

  const { places, edges } = layout([{ id: 'start', after: [] }, ...branches, { id: 'join', after: ['start', ...ids] }])

  expect(edges.filter(({ to }) => to === 'join').map(({ from }) => from)).toEqual(ids)
  expect(places.get('join')).toEqual({ column: 3, row: 1 })
  expect(places.get('branch1999')).toEqual({ column: 2, row: 2000 })
})

it('an id that comes twice is drawn once', () => {
  const { places } = layout([{ id: 'a', after: [] }, { id: 'a', after: [] }])

  expect([...places.keys()]).toEqual(['a'])
})
