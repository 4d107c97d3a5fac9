// What the clock starts.

/** A stored pipeline, as far as the clock is concerned. */
export interface Scheduled {
  id: string
  name: string
  /** When a cron trigger starts it next. */
  nextDue?: string
}

/** Those that it starts, the next one first. */
export function scheduled(pipelines: Scheduled[]): Scheduled[] {
  return pipelines
    .filter((one) => one.nextDue)
    .toSorted((one, other) => Date.parse(one.nextDue ?? '') - Date.parse(other.nextDue ?? ''))
}
