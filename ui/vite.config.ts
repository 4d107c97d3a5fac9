// Build of the page into the Python package; `npm run dev` passes the API on to the mock or a real server.
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const server = 'http://127.0.0.1:8084'

export default defineConfig({
  base: '/ui/',
  plugins: [react()],
  build: { outDir: '../src/gennaker/web/static', emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 400 },
  server: { host: '127.0.0.1', proxy: { '/api': server } },
})
