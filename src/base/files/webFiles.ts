// Scripts, styles and HTML of the package's pages: built files, or bundled from the sources in `web/`.
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileError } from './atomic.ts'

/** A page's files by name. */
export type WebFiles = ReadonlyMap<string, string>

/** Each page's files, and what they are made of in its folder of `web/`. HTML stays as it is. */
export const webSources = {
  atlas: { 'atlas.js': 'main.ts', 'atlas.css': 'style.css' },
  search: {
    'index.html': 'index.html',
    'search.js': 'main.ts',
    'search.css': 'style.css',
    'map.html': 'map.html',
    'map.js': 'map.ts',
    'map.css': 'map.css',
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>

const found = new Map<string, Promise<WebFiles>>()

/**
 * The files of a page of the package.
 *
 * @example
 * ```ts
 * const script = (await webFiles('atlas')).get('atlas.js')
 * ```
 *
 * @throws `FILE_NOT_FOUND` where the package is incomplete
 */
export function webFiles(page: keyof typeof webSources): Promise<WebFiles> {
  const known = found.get(page)
  if (known) return known
  // From dist/base/, where the build puts this room into files of its own.
  const built = fileURLToPath(new URL(`../web/${page}/`, import.meta.url))
  const files = existsSync(built) ? readWebFiles(built) : bundleWeb(page)
  found.set(page, files)
  return files
}

/** All files right in a folder. @throws what reading throws */
export async function readWebFiles(folder: string): Promise<WebFiles> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name)
    return new Map(
      await Promise.all(
        names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const),
      ),
    )
  } catch (error) {
    throw fileError(error, folder, 'read')
  }
}

/** Bundles the sources; only where they are, and esbuild with them. Notices of licences stay at a script's end. */
export async function bundleWeb(page: keyof typeof webSources): Promise<WebFiles> {
  const folder = fileURLToPath(new URL(`../../../web/${page}/`, import.meta.url))
  const sources: [name: string, source: string][] = Object.entries(webSources[page])
  const [plain, bundled] = [true, false].map((isPlain) =>
    sources.filter(([name]) => (extname(name) === '.html') === isPlain),
  ) as [typeof sources, typeof sources]
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: bundled.map(([name, source]) => ({
      in: join(folder, source),
      out: name.slice(0, -extname(name).length),
    })),
    bundle: true,
    minify: true,
    write: false,
    outdir: '/',
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'eof',
  })
  return new Map([
    ...outputFiles.map(({ path, text }) => [basename(path), text] as const),
    ...(await Promise.all(
      plain.map(async ([name, source]) => [name, await readFile(join(folder, source), 'utf8')] as const),
    )),
  ])
}
