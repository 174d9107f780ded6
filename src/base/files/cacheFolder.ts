// The folder of Pipilo's cache, of things made once and used again.
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** Pipilo's own cache: `$PIPILO_CACHE`, else `$XDG_CACHE_HOME/pipilo`, else `~/.cache/pipilo`. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const set = environment['PIPILO_CACHE']
  return set ? expandHome(set) : join(cacheHome(environment), 'pipilo')
}

/** The folder of everybody's caches: `$XDG_CACHE_HOME`, else `~/.cache`. */
export function cacheHome(environment: NodeJS.ProcessEnv = process.env): string {
  return environment['XDG_CACHE_HOME'] ? expandHome(environment['XDG_CACHE_HOME']) : join(homedir(), '.cache')
}

/** An absolute path; `~` is the home folder. */
export function expandHome(path: string): string {
  return resolve(path === '~' || /^~[/\\]/.test(path) ? join(homedir(), path.slice(1)) : path)
}
