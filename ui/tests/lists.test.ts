// Lists that the server gives page by page.

import { afterEach, expect, it, vi } from 'vitest'
import { listed } from '../src/api/client'

afterEach(() => vi.unstubAllGlobals())

it('reads a list with a condition to its end', async () => {
  const pages: Record<string, object> = {
    '/api/v1/pipelines?application=shop': { pipelines: ['a'], next: 'a' },
    '/api/v1/pipelines?application=shop&after=a': { pipelines: ['b'], next: null },
  }
  vi.stubGlobal('fetch', async (path: string) => Response.json(pages[path]))

  expect(await listed<string>('/pipelines?application=shop', 'pipelines')).toEqual(['a', 'b'])
})

it('reads a list to its end', async () => {
  const pages: Record<string, object> = {
    '/api/v1/applications': { applications: ['cart', 'shop & co'], next: 'shop & co' },
    '/api/v1/applications?after=shop%20%26%20co': { applications: ['zoo'], next: null },
  }
  vi.stubGlobal('fetch', async (path: string) => Response.json(pages[path]))

  expect(await listed<string>('/applications', 'applications')).toEqual(['cart', 'shop & co', 'zoo'])
})
