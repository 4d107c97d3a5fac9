// A stage's tasks and outputs, folded: for those who want to know exactly.

import type { Stage } from '../api/types'
import { counted } from '../model/format'
import { TaskList } from './StepList'

export function Outputs({ stage, now }: { stage: Stage; now: number }) {
  const outputs = Object.entries(stage.outputs)
  return (
    <div className="folds">
      {stage.tasks.length > 0 && (
        <details>
          <summary>
            {counted(stage.tasks.length, 'task')} of {stage.name} <span className="muted">({stage.type})</span>
          </summary>
          <TaskList tasks={stage.tasks} now={now} />
        </details>
      )}
      {outputs.length > 0 && (
        <details>
          <summary>{counted(outputs.length, 'output')}</summary>
          <dl className="outputs">
            {outputs.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <pre>{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>
                </dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </div>
  )
}
