// The page: files of a folder, served at `/` as they were when the server began.
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { fileError, webFiles } from '../../base/files/index.ts'
import { type Route, route } from '../http/route.ts'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
}

/** A page runs its own scripts alone, asks nobody but this server, and stands in no other page's frame. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const headers = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
}

/**
 * A route for each file; `index.html` is at `/`. Only what was there at the start is served: what a request asks for is looked up, and no path.
 *
 * @param folder default: the package's own page
 * @throws `FILE_NOT_FOUND` for a folder that was named
 */
export async function pageRoutes(folder?: string): Promise<Route[]> {
  const files = folder === undefined ? await webFiles('search') : await filesIn(folder)
  return [...files].map(([name, file]) => {
    const content = new Uint8Array(typeof file === 'string' ? Buffer.from(file) : file)
    const type = types[extname(name)] ?? 'application/octet-stream'
    return route({
      method: 'get',
      path: name === 'index.html' ? '/' : `/${name}`,
      dialect: 'pipilo',
      group: 'Page',
      summary: 'The page',
      open: true,
      hidden: true,
      content: type,
      run: () => new Response(content, { headers: { ...headers, 'content-type': type } }),
    })
  })
}

async function filesIn(folder: string): Promise<Map<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw fileError(error, folder, 'list')
  })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
  return new Map(
    await Promise.all(
      files.map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        return [path.slice(join(folder, '/').length).replaceAll(sep, '/'), await readFile(path)] as const
      }),
    ),
  )
}
