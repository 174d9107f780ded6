// Finds a Chromium on this machine, for tests that look at pages.
import { existsSync } from 'node:fs'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:/Program Files/Google/Chrome/Application/chrome.exe',
]

/** Path of a Chromium: what CHROMIUM_PATH says, or one in a usual place. */
export const chromiumPath = (): string | undefined =>
  process.env['CHROMIUM_PATH'] ?? PLACES.find((path) => existsSync(path))

/** WebGL2 without a GPU; containers let no sandbox be made. */
export const chromiumArguments = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--no-sandbox']
