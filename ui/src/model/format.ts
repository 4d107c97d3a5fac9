// How times, durations, digests and numbers are written.

import type { Json } from '../api/types'

export function secondsBetween(start: string | null | undefined, end: string | null | undefined, now: number): number | null {
  if (!start) return null
  const until = end ? Date.parse(end) : now
  return Math.max(0, (until - Date.parse(start)) / 1000)
}

/** `0.4 s`, `12 s`, `3 min 05 s`, `2 h 04 min`, `3 d 2 h`. */
export function duration(seconds: number | null): string {
  if (seconds === null) return ''
  if (seconds > 0 && seconds < 0.05) return '< 0.1 s'
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`. */
export function ago(at: string | null | undefined, now: number): string {
  const seconds = secondsBetween(at, null, now)
  if (seconds === null) return ''
  if (seconds < 45) return 'just now'
  if (seconds < 5400) return `${Math.max(1, Math.round(seconds / 60))} min ago`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`
  return `${Math.round(seconds / 86_400)} d ago`
}

export function clock(at: string | null | undefined): string {
  return at ? new Date(at).toLocaleTimeString(undefined, { hour12: false }) : ''
}

export function dateAndTime(at: string | null | undefined): string {
  return at ? new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' }) : ''
}

export function shortDigest(digest: string | null | undefined): string {
  return digest ? digest.replace(/^sha256:/, '').slice(0, 12) : ''
}

export function shortHash(hash: string | null | undefined): string {
  return hash ? hash.slice(0, 7) : ''
}

/** Four significant digits at most. */
export function number(value: Json | undefined): string {
  // Not finite travels as text: "NaN", "Infinity".
  if (typeof value !== 'number' || !Number.isFinite(value)) return '–'
  return Number(value.toPrecision(4)).toLocaleString(undefined, { maximumFractionDigits: 4 })
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return '0 %'
  return `${Number(((part / whole) * 100).toFixed(1))} %`
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

export function bytes(size: number): string {
  if (size < 1000) return `${size} B`
  return size < 1_000_000 ? `${(size / 1000).toFixed(1)} kB` : `${(size / 1_000_000).toFixed(1)} MB`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
