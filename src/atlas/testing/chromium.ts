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

/** Path of a Chromium: CHROMIUM_PATH, which is empty for none, or one in a usual place. */
export function chromiumPath(): string | undefined {
  const named = process.env['CHROMIUM_PATH']
  return named === undefined ? PLACES.find((path) => existsSync(path)) : named || undefined
}

/** WebGL2 without a GPU; containers let no sandbox be made. */
export const chromiumArguments = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--no-sandbox']
