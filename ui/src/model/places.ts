// Where the phases of a flow are drawn: what runs side by side stands one below the other, what follows stands to the right.

import type { Phase } from './phases'

export interface Place {
  /** From 1, as in CSS grids. */
  column: number
  row: number
}

/** A line from the phase of an id to that of another, which stands in a later column. */
export interface Edge {
  from: string
  to: string
}

export interface Layout {
  places: Map<string, Place>
  edges: Line[]
}

/** Lines that turn between the same columns do so in lanes, so that two forks don't look like one; 0 is the rightmost. */
export interface Line extends Edge {
  lane: number
}

type Part = Pick<Phase, 'id' | 'after'>

export function layout(phases: Part[]): Layout {
  const byId = new Map(phases.map((one) => [one.id, one]))
  const columns = new Map<string, number>()
  for (const one of phases) columns.set(one.id, 1 + Math.max(0, ...one.after.map((id) => columns.get(id) ?? 0)))
  const edges = phases.flatMap((one) => direct(one, byId).map((from) => ({ from, to: one.id })))
  const places = new Map<string, Place>()
  for (let column = 1; places.size < byId.size; column += 1) {
    place(
      phases.filter((one) => columns.get(one.id) === column),
      { column, columns, edges, places },
    )
  }
  return { places, edges: inLanes(edges, places) }
}

/** What comes of one phase shares a lane, and what is joined by one; others take the next where they would touch. */
function inLanes(edges: Edge[], places: Map<string, Place>): Line[] {
  const forks = counted(edges.map(({ from }) => from))
  const at = (id: string) => places.get(id) ?? { column: 1, row: 1 }
  const bundles = new Map<string, Bundle>()
  const bundleOf = ({ from, to }: Edge) => `${at(to).column} ${(forks.get(from) ?? 0) > 1 ? `from ${from}` : `to ${to}`}`
  for (const edge of edges) {
    const rows = [at(edge.from).row, at(edge.to).row]
    if (rows[0] === rows[1]) continue
    const known = bundles.get(bundleOf(edge))
    const [first, last] = [Math.min(...rows, known?.first ?? Infinity), Math.max(...rows, known?.last ?? 0)]
    bundles.set(bundleOf(edge), { column: at(edge.to).column, first, last, lane: 0 })
  }
  const settled: Bundle[] = []
  for (const one of [...bundles.values()].toSorted((left, right) => left.first - right.first || left.last - right.last)) {
    const touches = (other: Bundle) =>
      other.column === one.column && other.lane === one.lane && other.first <= one.last && one.first <= other.last
    while (settled.some(touches)) one.lane += 1
    settled.push(one)
  }
  return edges.map((edge) => ({ ...edge, lane: bundles.get(bundleOf(edge))?.lane ?? 0 }))
}

/** Lines that share a lane, with the rows that they reach. */
interface Bundle {
  column: number
  first: number
  last: number
  lane: number
}

function counted(ids: string[]): Map<string, number> {
  const found = new Map<string, number>()
  for (const id of ids) found.set(id, (found.get(id) ?? 0) + 1)
  return found
}

/** Without those that come before another of them anyway; one walk over all that come before, however many they are. */
function direct({ after }: Part, byId: Map<string, Part>): string[] {
  const known = after.filter((id) => byId.has(id))
  const earlier = new Set<string>()
  const way = known.flatMap((id) => byId.get(id)?.after ?? [])
  for (let id = way.pop(); id !== undefined; id = way.pop()) {
    if (earlier.has(id)) continue
    earlier.add(id)
    for (const before of byId.get(id)?.after ?? []) way.push(before)
  }
  return known.filter((id) => !earlier.has(id))
}

interface Drawn {
  places: Map<string, Place>
  edges: Edge[]
  column: number
  columns: Map<string, number>
}

/** Each goes on in the row of the first that it follows, or below: lines that pass the column keep their rows free. */
function place(phases: Part[], { column, columns, edges, places }: Drawn): void {
  const rowOf = (id: string) => places.get(id)?.row ?? 1
  const passing = edges.filter(({ from, to }) => (columns.get(from) ?? 0) < column && (columns.get(to) ?? 0) > column)
  const taken = new Set(passing.map(({ from }) => rowOf(from)))
  const rows = new Map<string, number>()
  for (const { from, to } of edges) rows.set(to, Math.min(rows.get(to) ?? Number.MAX_SAFE_INTEGER, rowOf(from)))
  const wanted = (one: Part) => rows.get(one.id) ?? Number.MAX_SAFE_INTEGER
  for (const one of phases.toSorted((left, right) => wanted(left) - wanted(right))) {
    let row = rows.get(one.id) ?? 1
    while (taken.has(row)) row += 1
    taken.add(row)
    places.set(one.id, { column, row })
  }
}
