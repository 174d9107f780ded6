// The page's script and style: built files of the package, or bundled from the sources beside it.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { fileError } from '../../base/files/index.ts'

/** The page's script and style. */
export interface PageFiles {
  readonly script: string
  readonly style: string
}

let found: Promise<PageFiles> | undefined

/** See `pageFiles` in ../onDemand.ts. @throws `FILE_NOT_FOUND` where the package is incomplete */
export function pageFiles(): Promise<PageFiles> {
  found ??= builtFolder() ? readBuilt() : bundlePage()
  return found
}

/** From dist/atlas/, where the build puts this room into files of its own. */
const builtFolder = (): string | undefined => {
  const folder = fileURLToPath(new URL('./web/', import.meta.url))
  return existsSync(folder) ? folder : undefined
}

async function readBuilt(): Promise<PageFiles> {
  const read = (name: string) => {
    const path = `${builtFolder()}${name}`
    return readFile(path, 'utf8').catch((error: unknown) => {
      throw fileError(error, path, 'read')
    })
  }
  const [script, style] = await Promise.all([read('atlas.js'), read('atlas.css')])
  return { script, style }
}

/** Bundles the sources; only where they are, and esbuild with them. Notices of licences stay at the script's end. */
export async function bundlePage(): Promise<PageFiles> {
  const sources = fileURLToPath(new URL('../../../web/atlas/', import.meta.url))
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: { atlas: `${sources}main.ts`, style: `${sources}style.css` },
    bundle: true,
    minify: true,
    write: false,
    outdir: '/',
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'eof',
  })
  const text = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))!.text
  return { script: text('.js'), style: text('.css') }
}
