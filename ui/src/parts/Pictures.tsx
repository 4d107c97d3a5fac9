// Screenshots and videos that tests left behind, to be looked at where they stand.

import type { Evidence } from '../api/reports'
import { shownAs } from '../model/pictures'

export function Pictures({ evidence }: { evidence: Evidence[] }) {
  const shown = evidence.filter((item) => shownAs(item.mediaType) !== null)
  if (shown.length === 0) return null
  return (
    <section className="block" aria-label="Screenshots and videos">
      <h3>Screenshots and videos</h3>
      <ul className="pictures">
        {shown.map((item) => (
          <li key={`${item.stageId}/${item.name}`}>
            <Picture item={item} />
          </li>
        ))}
      </ul>
    </section>
  )
}

function Picture({ item }: { item: Evidence }) {
  const address = `/api/v1/evidence/${encodeURIComponent(item.digest)}`
  return (
    <figure>
      {shownAs(item.mediaType) === 'video' ? (
        <video src={address} controls muted preload="metadata" aria-label={item.name} />
      ) : (
        <img src={address} alt={item.name} loading="lazy" />
      )}
      <figcaption>{item.name}</figcaption>
    </figure>
  )
}
