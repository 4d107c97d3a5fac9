// Icons, drawn here: statuses, kinds of phases, and a few marks.

import type { PhaseKind } from '../model/phases'
import type { Tone } from '../model/status'

const TONES: Record<Tone, string> = {
  good: 'M4.6 8.3l2.2 2.2 4.6-4.9',
  bad: 'M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4',
  attention: 'M8 4.4v4.4M8 11.3v.1',
  paused: 'M6.2 5.4v5.2M9.8 5.4v5.2',
  skipped: 'M5 8h6',
  running: '',
  idle: '',
}

/** Decoration: the word stands beside it. */
export function StatusIcon({ tone, size = 16 }: { tone: Tone; size?: number }) {
  return (
    <svg className={`status status-${tone}`} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      {tone === 'running' ? (
        <>
          <circle cx="8" cy="8" r="6.2" className="status-ring" />
          <path d="M8 1.8a6.2 6.2 0 0 1 6.2 6.2" className="status-arc" />
        </>
      ) : (
        <>
          <circle cx="8" cy="8" r="7" className="status-disc" />
          <path d={TONES[tone]} className="status-mark" />
        </>
      )}
    </svg>
  )
}

const SHAPES: Record<PhaseKind | 'lock' | 'back' | 'undo' | 'link' | 'arrow', string> = {
  commit: 'M2 12h6.5m7 0H22M15.5 12a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0Z',
  build: 'M14.7 6.3a4 4 0 0 0-5.2 5.2L3.6 17.4a2.1 2.1 0 0 0 3 3l5.9-5.9a4 4 0 0 0 5.2-5.2l-2.6 2.6-2.8-.2-.2-2.8 2.6-2.6Z',
  image: 'M12 3l8 4.5v9L12 21l-8-4.5v-9L12 3Zm0 9l8-4.5M12 12v9M12 12L4 7.5',
  deploy: 'M4 5h16v5H4zM4 14h16v5H4zM7.5 7.5v.01M7.5 16.5v.01',
  canary: 'M3 19V5M3 19h18M7 14l3.5-4 3 3L19 7',
  approval: 'M12 3l7 3v5c0 5-3 8.3-7 10-4-1.7-7-5-7-10V6l7-3Zm-3.2 9l2.3 2.3 4.3-4.6',
  release: 'M5 21V4m0 0h11l-2 4 2 4H5',
  other: 'M6 6h12v12H6z',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  back: 'M14.5 5.5L8 12l6.5 6.5',
  undo: 'M8 4L4 8l4 4M4 8h10a5.5 5.5 0 0 1 0 11h-4',
  link: 'M9 5H5v14h14v-4M13 4h7v7M20 4l-9 9',
  arrow: 'M4 12h15m-5-5l5 5-5 5',
}

export function Icon({ name, size = 18 }: { name: keyof typeof SHAPES; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={SHAPES[name]} />
    </svg>
  )
}
