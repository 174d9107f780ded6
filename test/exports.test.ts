import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { rootExports } from '../scripts/exports.ts'
import { emptyFolder, project } from './pipilo.ts'

it('offers every type that signatures of the root use', async () => {
  const { values, types, missing } = await rootExports(project)
  expect(missing).toEqual([])
  expect(values).toContain('embedder')
  expect(types).toContain('EmbedderOptions')
  expect(types).not.toContain('embedder')
})

it('misses types of options, of results and of functions that are only spoken of', async () => {
  const folder = emptyFolder()
  const files = {
    'index.js': 'export const open = () => {}, close = open',
    'index.d.ts': `
      export type { Shown } from './inner/types.d.ts'
      export declare function open(options: import('./inner/types.d.ts').OpenOptions): Promise<import('./inner/types.d.ts').Result>
      export declare const close: typeof import('./inner/types.d.ts').close`,
    'inner/types.d.ts': `
      import type { Part, PartOptions } from '../graph/index.d.ts'
      export interface OpenOptions { shown: Shown; private: Own; computed: Computed<string>; part: Part; parts: PartOptions }
      export interface Shown { deep: Deep }
      export type Deep = string
      export type Result = number
      export type Computed<T> = T[]
      interface Own {}
      export declare class Closed { private hidden: Hidden }
      export interface Hidden {}
      export declare function close(): Closed`,
    'graph/index.d.ts': `
      export interface Part { inner: Inner }
      export interface Inner {}
      export interface PartOptions {}`,
    'nn/index.d.ts': 'export {}',
  }
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, 'dist', name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const { values, types, missing } = await rootExports(folder)
  expect([values, types]).toEqual([['close', 'open'], ['Shown']])
  expect(missing.map(({ name, usedIn }) => `${name} in ${usedIn}`).sort()).toEqual([
    'Closed in close',
    'Deep in Shown',
    'OpenOptions in open',
    'PartOptions in OpenOptions',
    'Result in open',
  ])
})
