// The schedule: what the clock starts, and when.

import type { Scheduled } from '../api/schedule'
import { dateAndTime } from '../model/format'

export function SchedulePanel({ pipelines }: { pipelines: Scheduled[] }) {
  return (
    <section className="panel" aria-label="Schedule">
      <h2>Started by the clock</h2>
      <ul className="releases">
        {pipelines.map((one) => (
          <li key={one.id} className="release">
            <div className="release-head">
              <h3>{one.name}</h3>
            </div>
            <p className="muted">next on {dateAndTime(one.nextDue)}</p>
          </li>
        ))}
      </ul>
    </section>
  )
}
