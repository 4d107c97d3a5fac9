// What views fetch: one hook a resource. Live updates (live.ts) make them look again.

import { queryOptions, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { get, listed, post, Refusal } from './client'
import type { Evidence, Log } from './reports'
import { type Scheduled, scheduled } from './schedule'
import type { Approval, Delivery, Execution, LoadBalancer, Release, Summary } from './types'

const DELIVERIES = 20
const EXECUTIONS = 50
const TRAFFIC_MILLISECONDS = 2000
/** In case an update was lost; the stream does the rest. */
const BACKSTOP_MILLISECONDS = 20_000

export const keys = {
  allDeliveries: ['deliveries'] as const,
  allReleases: ['releases'] as const,
  applications: ['applications'] as const,
  deliveries: (application: string) => ['deliveries', application] as const,
  execution: (id: string) => ['execution', id] as const,
  releases: (application: string) => ['releases', application] as const,
  scheduled: (application: string) => ['scheduled', application] as const,
  traffic: ['traffic'] as const,
}

export function retries(count: number, error: Error): boolean {
  const isFinal = error instanceof Refusal && error.status >= 400 && error.status < 500
  return !isFinal && count < 2
}

/** Nobody is signed in (any more): the server was started anew, or the session is over. */
export function isSignedOut(error: Error | null): boolean {
  return error instanceof Refusal && error.status === 401
}

export function useApplications() {
  return useQuery({
    queryKey: keys.applications,
    queryFn: ({ signal }) => listed<string>('/applications', 'applications', signal),
    refetchInterval: BACKSTOP_MILLISECONDS,
  })
}

export function useDeliveries(application: string, limit = DELIVERIES) {
  return useQuery({ ...deliveriesOf(application, limit), select: (answer) => answer.deliveries })
}

/** Executions that are no delivery; they come with the deliveries: all that go on, and the newest of those that have ended. */
export function useOthers(application: string, limit = DELIVERIES) {
  return useQuery({ ...deliveriesOf(application, limit), select: (answer) => answer.others })
}

/** All executions, newest first, a page more at each `fetchNextPage`. */
export function useExecutions(application: string) {
  const path = `/executions?application=${encodeURIComponent(application)}&limit=${EXECUTIONS}`
  return useInfiniteQuery({
    queryKey: [...keys.deliveries(application), 'all'],
    queryFn: ({ pageParam, signal }) =>
      get<{ executions: Summary[]; next: string | null }>(pageParam ? `${path}&before=${pageParam}` : path, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next,
    select: (answer) => answer.pages.flatMap((page) => page.executions),
    refetchInterval: BACKSTOP_MILLISECONDS,
  })
}

function deliveriesOf(application: string, limit: number) {
  return queryOptions({
    queryKey: [...keys.deliveries(application), limit],
    queryFn: ({ signal }) =>
      get<{ deliveries: Delivery[]; others: Summary[] }>(
        `/applications/${encodeURIComponent(application)}/deliveries?limit=${limit}`,
        signal,
      ),
    enabled: application !== '',
    refetchInterval: BACKSTOP_MILLISECONDS,
  })
}

export function useExecution(id: string | null | undefined) {
  return useQuery({
    queryKey: keys.execution(id ?? ''),
    queryFn: ({ signal }) => get<Execution>(`/executions/${encodeURIComponent(id ?? '')}`, signal),
    enabled: Boolean(id),
    refetchInterval: BACKSTOP_MILLISECONDS,
  })
}

export function useEvidence(id: string | null | undefined) {
  return useQuery({
    queryKey: [...keys.execution(id ?? ''), 'evidence'],
    queryFn: ({ signal }) => listed<Evidence>(`/executions/${encodeURIComponent(id ?? '')}/evidence`, 'evidence', signal),
    enabled: Boolean(id),
  })
}

export function useLogs(id: string | null | undefined) {
  return useQuery({
    queryKey: [...keys.execution(id ?? ''), 'logs'],
    queryFn: ({ signal }) => listed<Log>(`/executions/${encodeURIComponent(id ?? '')}/logs`, 'logs', signal),
    enabled: Boolean(id),
  })
}

export function useApproval(id: string, stageId: string) {
  return useQuery({
    queryKey: [...keys.execution(id), 'approval', stageId],
    queryFn: ({ signal }) => get<Approval>(`/executions/${encodeURIComponent(id)}/stages/${stageId}/approval`, signal),
  })
}

export function useReleases(application: string) {
  return useQuery({
    queryKey: keys.releases(application),
    queryFn: ({ signal }) =>
      get<{ releases: Release[] }>(`/applications/${encodeURIComponent(application)}/releases`, signal),
    select: (answer) => answer.releases,
    enabled: application !== '',
    refetchInterval: BACKSTOP_MILLISECONDS,
  })
}

/** The application's pipelines that the clock starts, the next one first. */
export function useScheduled(application: string) {
  return useQuery({
    queryKey: keys.scheduled(application),
    queryFn: ({ signal }) =>
      listed<Scheduled>(`/pipelines?application=${encodeURIComponent(application)}`, 'pipelines', signal),
    select: scheduled,
    enabled: application !== '',
    refetchInterval: BACKSTOP_MILLISECONDS,
  })
}

export function useTraffic() {
  return useQuery({
    queryKey: keys.traffic,
    queryFn: ({ signal }) => listed<LoadBalancer>('/traffic', 'loadBalancers', signal),
    refetchInterval: TRAFFIC_MILLISECONDS, // requests in flight change all the time and are not announced
  })
}

export interface Answer {
  judgment: 'continue' | 'stop'
  judgmentInput: string
  comment: string
}

/** `tag`: of the approval that is shown. */
export function useJudge(id: string, stageId: string, tag?: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (answer: Answer) =>
      post(`/executions/${encodeURIComponent(id)}/stages/${stageId}/judgment`, answer, tag),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.execution(id) }),
  })
}

export function useRollback(application: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: ({ cluster, account, region }: Release) =>
      post<{ executionId: string; sentence: string }>(`/applications/${encodeURIComponent(application)}/rollback`, {
        cluster,
        account,
        region,
      }),
    onSettled: () => queries.invalidateQueries({ queryKey: keys.allReleases }),
  })
}
