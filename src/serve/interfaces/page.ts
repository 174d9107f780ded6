// The page: files of a folder, served at `/` as they were when the server began.
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileError } from '../../base/files/index.ts'
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

/** Headers of the page: it loads nothing from elsewhere, and no other page holds it in a frame. */
const headers = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
}

/** The package's own page, from dist/serve/, where the build puts this room into files of its own. */
const own = (): string => fileURLToPath(new URL('./web/', import.meta.url))

/**
 * A route for each file; `index.html` is at `/`. Only what was there at the start is served: what a request asks for is looked up, and no path.
 *
 * @param folder default: the package's own page, and nothing where it has none
 * @throws `FILE_NOT_FOUND` for a folder that was named
 */
export async function pageRoutes(folder?: string): Promise<Route[]> {
  const root = folder ?? own()
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (folder === undefined) return []
    throw fileError(error, root, 'list')
  })
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
  return Promise.all(
    files.map(async (entry) => {
      const path = join(entry.parentPath, entry.name)
      const name = path.slice(join(root, '/').length).replaceAll(sep, '/')
      const content = new Uint8Array(await readFile(path))
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
    }),
  )
}
