// Which evidence can be looked at where it stands: the media types that the server gives out as such.

const PICTURES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])
const VIDEOS = new Set(['video/webm', 'video/mp4'])

export type Shown = 'picture' | 'video'

export function shownAs(mediaType: string): Shown | null {
  if (PICTURES.has(mediaType)) return 'picture'
  return VIDEOS.has(mediaType) ? 'video' : null
}
