// Switches on Node's cache of compiled code for the command.
import module from 'node:module'
import { join } from 'node:path'
import { cacheFolder } from '../base/files/index.ts'

/**
 * Keeps V8's compiled code between runs where Node can (22.8 and later): every run of the command starts cold. In Pipilo's cache, not in the folder
 * for temporary files.
 */
export function enableCompileCache(): void {
  const enable = (module as { enableCompileCache?: (folder?: string) => void }).enableCompileCache
  if (process.env['NODE_COMPILE_CACHE']) enable?.()
  else enable?.(join(cacheFolder(), 'code'))
}
