// Everything that the run leaves lies below results/: report, screenshots, videos.
module.exports = {
  outputDir: 'results/files',
  workers: 1,
  // On a busy machine a browser may take its time.
  timeout: 600_000,
  expect: { timeout: 300_000 },
  reporter: [['list'], ['junit', { outputFile: 'results/report.xml' }]],
  use: {
    baseURL: process.env.BASE_URL,
    screenshot: 'only-on-failure',
    video: 'retain-on-failure',
    viewport: { width: 400, height: 300 },
    launchOptions: { executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'], timeout: 300_000 },
  },
}
