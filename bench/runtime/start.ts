/**
 * From a cold process to the first vector: each step, with weights converted already. The process is this one, so run
 * it several times; give `first` to begin with an empty cache.
 *
 *     npx tsx bench/runtime/start.ts [first]
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const steps: [string, number][] = [['process', performance.now()]]
const step = (name: string) => steps.push([name, performance.now()])
const { compile, warmUp } = await import('../../src/runtime/index.ts')
warmUp()
step('runtime imported')
const { feeds, minilm } = await import('./minilm.ts')
step('architecture imported')
const graph = await minilm()
step('graph built')
const cacheDir = process.argv[2] === 'first' ? mkdtempSync(join(tmpdir(), 'pipilo-start-')) : undefined
const session = await compile(graph, cacheDir ? { cacheDir } : {})
step('compiled')
await session.run(feeds(1, 32))
step('first vector')
console.log(steps.map(([name, time]) => `${name} ${time.toFixed(0)} ms`).join(', '))
console.log(`peak ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`)
await session.dispose()
