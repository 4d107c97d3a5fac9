// Formats, statuses, addresses, the stream's updates, logs: what is pure and small.

import { describe, expect, it } from 'vitest'
import { touched } from '../src/api/live'
import { appended } from '../src/api/log'
import { ago, duration, number, percent, shortDigest } from '../src/model/format'
import { standing, together } from '../src/model/status'
import { balancersOf, hueOf, versionsOf } from '../src/model/versions'
import { starterOf, stateOf, stateOfExecution, titleOf } from '../src/model/wording'
import type { Delivery, Execution, Release, Summary } from '../src/api/types'
import { sentenceOf } from '../src/parts/ReleaseDetail'
import { servingNow } from '../src/parts/ReleasePanel'
import { parse } from '../src/live_hooks'

describe('formats', () => {
  it.each([
    [0.02, '< 0.1 s'],
    [0.44, '0.4 s'],
    [12.3, '12 s'],
    [59.7, '1 min 00 s'],
    [185, '3 min 05 s'],
    [7440, '2 h 04 min'],
    [266_400, '3 d 2 h'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text)
  })

  it('writes times as people say them', () => {
    const now = Date.parse('2026-03-01T12:00:00Z')

    expect(ago('2026-03-01T11:59:40Z', now)).toBe('just now')
    expect(ago('2026-03-01T11:55:00Z', now)).toBe('5 min ago')
    expect(ago('2026-02-27T12:00:00Z', now)).toBe('2 d ago')
  })

  it('writes numbers with four digits and what is no number as a dash', () => {
    expect(number(43.84126)).toBe('43.84')
    expect(number('NaN')).toBe('–')
    expect(number(undefined)).toBe('–')
    expect(percent(1, 3)).toBe('33.3 %')
    expect(shortDigest('sha256:0123456789abcdef')).toBe('0123456789ab')
  })
})

describe('a group of steps', () => {
  const all = (...statuses: Parameters<typeof standing>[0][]) => together(statuses.map(standing)).word

  it('shows what needs a look most', () => {
    expect(all('SUCCEEDED', 'TERMINAL', 'NOT_STARTED')).toBe('Failed')
    expect(all('SUCCEEDED', 'RUNNING')).toBe('Running')
    expect(all('SUCCEEDED', 'SKIPPED')).toBe('Succeeded')
  })

  it('runs while some are done and others have not begun', () => {
    expect(all('SUCCEEDED', 'NOT_STARTED')).toBe('Running')
    expect(all('NOT_STARTED', 'NOT_STARTED')).toBe('Not started')
  })
})

describe('what serves', () => {
  it('is listed production before staging, whatever it has replaced', () => {
    const of = (cluster: string, replaced?: string) => ({ id: cluster, cluster, replaced, state: 'current' }) as Release

    const serving = servingNow([of('shop-staging', 'shop-staging-v000'), of('shop-prod'), of('shop-eu')])

    expect(serving.map((one) => one.cluster)).toEqual(['shop-prod', 'shop-eu', 'shop-staging'])
  })
})

describe('a name that was given again', () => {
  it('is of the version that was released last under it', () => {
    const at = (releasedAt: string, version: string, replaced: string, replacedVersion: string) =>
      ({ releasedAt, serverGroup: 'shop-prod-v001', version, replaced, replacedVersion }) as Release
    const newestFirst = [
      at('2026-03-01T12:00:00Z', '3.0', 'shop-prod-v000', '1.0'),
      at('2026-03-01T11:00:00Z', '2.0', 'shop-prod-v000', '1.0'),
    ]

    expect(versionsOf(newestFirst, undefined).get('shop-prod-v001')).toBe('3.0')
  })
})

describe('what a release replaced', () => {
  const now = Date.parse('2026-03-01T12:00:00Z')
  const release = (fields: Partial<Release>): Release => ({ replaced: 'shop-prod-v000', replacedVersion: '1.2.2', ...fields }) as Release

  it.each([
    [{ warmUntil: '2026-03-01T13:00:00Z' }, '1.2.2 is kept warm for another 1 h 00 min.'],
    [{ warmUntil: '2026-03-01T11:00:00Z' }, '1.2.2 is being decommissioned.'],
    [{ keepsReplaced: true }, '1.2.2 is kept, without traffic, until it is removed.'],
    [{ state: 'settled' as const }, '1.2.2 was decommissioned.'],
  ])('is told (%j)', (fields, sentence) => {
    expect(sentenceOf(release(fields), now)).toBe(sentence)
  })
})

describe('which version a group runs', () => {
  const created = { type: 'createServerGroup', context: { serverGroupName: 'shop-prod-baseline-v000', imageVersion: '1.2.3-old' } }
  const execution = (status: string) => ({ status, stages: [created] }) as unknown as Execution

  it('is told by the execution that has made it, while that runs', () => {
    expect(versionsOf([], execution('RUNNING')).get('shop-prod-baseline-v000')).toBe('1.2.3-old')
  })

  it('is not told by an execution that has ended: the name may be another group’s by now', () => {
    expect(versionsOf([], execution('SUCCEEDED')).has('shop-prod-baseline-v000')).toBe(false)
  })
})

describe('a delivery in a list', () => {
  const at = '2026-03-01T12:00:00Z'
  const summary = (fields: Partial<Summary>): Summary => ({
    id: '01M8BUILD',
    kind: 'PIPELINE',
    application: 'shop',
    name: 'build-shop',
    status: 'SUCCEEDED',
    isCanceled: false,
    canceledBy: null,
    cancellationReason: null,
    buildTime: at,
    startTime: at,
    endTime: at,
    user: 'ada',
    trigger: {},
    waitingFor: '',
    currentStage: null,
    failedStage: null,
    problems: [],
    version: 1,
    ...fields,
  })
  const delivery = (fields: Partial<Delivery>): Delivery => ({
    id: '01M8BUILD',
    application: 'shop',
    commit: null,
    branch: null,
    build: null,
    image: null,
    delivery: null,
    isDeployedByBuild: false,
    status: 'SUCCEEDED',
    currentStage: null,
    waitingFor: '',
    ...fields,
  })
  const commit = { hash: 'f151aa0766cb', subject: '', author: '' }

  it.each<[string, Partial<Delivery>]>([
    ['Say hello', { commit: { ...commit, subject: 'Say hello' }, image: { tag: '1.2.3' } }],
    ['1.2.3', { commit, image: { tag: '1.2.3' } }],
    ['build-shop of f151aa0', { commit, build: summary({ status: 'TERMINAL' }) }],
    ['build-shop', { build: summary({ status: 'TERMINAL' }) }],
    ['01M8BUILD', { build: summary({ name: '' }) }],
  ])('is called %s by whatever is known of it', (title, fields) => {
    expect(titleOf(delivery(fields))).toBe(title)
  })

  it.each<[string, Partial<Summary>]>([
    ['Succeeded', {}],
    ['Dry run: nothing was done', { isDryRun: true }],
    ['In shadow: planned, nothing was done', { isDryRun: true, isShadow: true }],
    ['Failed', { isDryRun: true, status: 'TERMINAL' }],
  ])('is told as %s where that is what it was', (phrase, fields) => {
    expect(stateOfExecution(summary(fields)).phrase).toBe(phrase)
  })

  it.each<[string, Partial<Delivery>]>([
    ['Built, no delivery has begun', { build: summary({}) }],
    ['Delivered', { build: summary({}), isDeployedByBuild: true }],
    ['Delivered', { build: summary({}), delivery: summary({ name: 'first-release' }) }],
    ['Failed at Build shop', { build: summary({ status: 'TERMINAL', failedStage: 'Build shop' }) }],
    ['Failed at One', { build: summary({ status: 'TERMINAL', failedStage: 'One' }), isDeployedByBuild: true }],
  ])('is told as "%s"', (phrase, fields) => {
    expect(stateOf(delivery(fields), []).phrase).toBe(phrase)
  })

  it.each<[string, string]>([
    ['manual', 'ada'],
    ['cron', 'its schedule'],
    ['docker', 'an image'],
    ['something new', 'ada'],
  ])('started by a trigger of type %s is told as started by %s', (type, starter) => {
    expect(starterOf(summary({ trigger: { type } }))).toBe(starter)
  })
})

describe('addresses of the page', () => {
  it('name a view and what is looked at in it', () => {
    expect(parse('')).toEqual({ view: 'overview' })
    expect(parse('#/applications/shop')).toEqual({ view: 'application', application: 'shop', selected: '' })
    expect(parse('#/executions/01M8/stages/step-2')).toEqual({ view: 'execution', id: '01M8', selected: 'step-2' })
    expect(parse('#/elsewhere')).toEqual({ view: 'unknown' })
  })
})

describe('live updates', () => {
  it('refresh the execution and the list of its application', () => {
    expect(touched('execution', '{"topic":"execution","id":"01M8","application":"shop","version":4}')).toEqual([
      ['execution', '01M8'],
      ['deliveries', 'shop'],
    ])
  })
})

describe('a followed log', () => {
  it('loses colours and keeps its end when it is long', () => {
    const short = appended({ text: 'a\n', state: 'following', isCut: false }, '\u001B[31mred\u001B[0m\r\n')
    const long = appended(short, 'x'.repeat(400_000))

    expect(short.text).toBe('a\nred\r\n')
    expect(long.isCut).toBe(true)
    expect(long.text.length).toBe(400_000)
  })
})

describe('server groups', () => {
  it('keep their colour, and neighbours differ', () => {
    expect(hueOf('shop-prod-v000')).not.toBe(hueOf('shop-prod-v001'))
    expect(hueOf('shop-prod-canary-v000')).toBe('canary')
    expect(hueOf('shop-prod-baseline-v012')).toBe('baseline')
  })

  it('are found by the load balancers of their application, production first', () => {
    const balancer = (name: string) => ({ name, provider: 'caddy', address: '', shares: [] })
    const all = ['shop-staging', 'cart-prod', 'shop-prod'].map(balancer)

    expect(balancersOf(all, 'shop', []).map((one) => one.name)).toEqual(['shop-prod', 'shop-staging'])
  })
})
