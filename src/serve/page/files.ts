// Routes of a page's files: those of a folder, as they were when the server began.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileError, webFiles } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import { type Route, route } from '../http/route.ts'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
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

/**
 * Routes of the files of a page: `index.html` at `/`, and `map.html` at `/map`.
 *
 * @param folder of the page's files. Default: the package's own page of search
 * @throws `FILE_NOT_FOUND`; `FORMAT_UNSUPPORTED` for a folder without `index.html`
 */
export async function pageRoutes(folder: string | undefined): Promise<Route[]> {
  const files = folder === undefined ? await webFiles('search') : await readFolder(folder)
  if (!files.has('index.html')) {
    throw new PipiloError('FORMAT_UNSUPPORTED', `${folder} holds no index.html.`, { input: folder! })
  }
  return [...files].map(([name, content]) => {
    const bytes = new Uint8Array(typeof content === 'string' ? Buffer.from(content) : content)
    const ending = extname(name)
    const headers = {
      'content-type': types[ending]!,
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-cache',
      etag: `"${createHash('sha256').update(bytes).digest('base64url')}"`,
    }
    return route({
      method: 'get',
      path: name === 'index.html' ? '/' : `/${ending === '.html' ? name.slice(0, -ending.length) : name}`,
      dialect: 'pipilo',
      group: 'Page',
      summary: `The page's ${name}`,
      content: types[ending]!,
      // Whoever has no key yet is asked for it by the page.
      open: true,
      run: ({ incoming }) =>
        incoming.headers['if-none-match'] === headers.etag
          ? new Response(null, { status: 304, headers })
          : new Response(bytes, { headers }),
    })
  })
}

/** Files right in a folder that a page is made of. */
async function readFolder(folder: string): Promise<ReadonlyMap<string, Uint8Array>> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    const names = entries
      .filter(
        (entry) =>
          entry.isFile() && /^\w[\w.-]*$/.test(entry.name) && Object.hasOwn(types, extname(entry.name)),
      )
      .map(({ name }) => name)
    return new Map(
      await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
    )
  } catch (error) {
    throw fileError(error, folder, 'read')
  }
}
