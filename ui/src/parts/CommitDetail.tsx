// The commits that a build contains, newest first.

import type { Commit } from '../api/types'
import { ago, shortHash } from '../model/format'

const MOST = 20

export function CommitDetail({ commits, now }: { commits: Commit[]; now: number }) {
  if (commits.length === 0) return <p className="muted">The build has not told yet which commits it contains.</p>
  return (
    <ol className="commits" aria-label="Commits, newest first">
      {commits.slice(0, MOST).map((commit) => (
        <li key={commit.hash}>
          <code>{shortHash(commit.hash)}</code>
          <span className="commit-subject">{commit.subject || 'No subject'}</span>
          <span className="muted">
            {commit.author}
            {commit.at && `, ${ago(commit.at, now)}`}
          </span>
        </li>
      ))}
    </ol>
  )
}
