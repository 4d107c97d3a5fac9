// Start of the page.

import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './App'
import { follow } from './api/live'
import { isSignedOut, keys, retries } from './api/queries'
import './styles/tokens.css'
import './styles/layout.css'
import './styles/flow.css'
import './styles/detail.css'
import './styles/panels.css'
import './styles/approval.css'

const queries: QueryClient = new QueryClient({
  // Whichever request finds out that nobody is signed in any more: App looks at this one.
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (isSignedOut(error) && query.queryKey[0] !== keys.applications[0]) void queries.invalidateQueries({ queryKey: keys.applications })
    },
  }),
  defaultOptions: { queries: { retry: retries, retryDelay: 800, staleTime: 1000, refetchOnWindowFocus: true } },
})
follow(queries)

const root = document.getElementById('root')
if (!root) throw new Error('index.html has lost its root')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
)
