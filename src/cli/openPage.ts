// Opens an address in the reader's browser.
import { spawn } from 'node:child_process'

const openers: Partial<Record<NodeJS.Platform, readonly [command: string, ...words: string[]]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
}

/** Opens an address of this program's own server. Where there is no browser nothing happens: the address has been printed. */
export function openPage(url: string): void {
  const [command, ...words] = openers[process.platform] ?? ['xdg-open']
  const opened = spawn(command, [...words, url], { stdio: 'ignore', detached: true })
  opened.on('error', () => {})
  opened.unref()
}
