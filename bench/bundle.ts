// Bundles parts of Pipilo for another machine, as both packs do.
import { createRequire } from 'node:module'
import type { BuildOptions } from 'esbuild'

const require = createRequire(new URL('../package.json', import.meta.url))
const { build } = require('esbuild') as typeof import('esbuild')

/** Writes a bundle of entry points into a folder, with what is native left outside. */
export async function bundle(
  entryPoints: Readonly<Record<string, string>>,
  outdir: string,
  { external = [], ...more }: BuildOptions = {},
): Promise<void> {
  await build({
    entryPoints: { ...entryPoints },
    outdir,
    bundle: true,
    splitting: true,
    // Flat: the runtime looks for worker.js beside the file that starts it.
    chunkNames: '[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['onnxruntime-node', 'sharp', '@lancedb/lancedb', ...external],
    logLevel: 'warning',
    ...more,
  })
}
