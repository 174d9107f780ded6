import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedder, recipeKey } from '../../embed/index.ts'
import { Golden, known, probeOf } from './golden.ts'
import { ModelTable, offeredModels } from './modelTable.ts'

let table: ModelTable
beforeAll(async () => {
  const runtime = { workers: 1, threads: 1 }
  table = new ModelTable(await offeredModels(undefined), { idle: 60_000, memory: 1e12, most: 3, runtime })
})
afterAll(() => table.close())

describe('golden vectors', () => {
  it('are known of the default models, and right', async () => {
    expect(table.offered.map(({ recipe }) => recipeKey(recipe)).sort()).toEqual(Object.keys(known).sort())
    for (const offered of table.offered) {
      await table.use(offered, {}, async (opened) => {
        const { vectors } = await opened.embedder.embed([probeOf(opened.embedder) as never])
        expect(new Golden().compare(offered, opened, vectors[0]!)).toBeUndefined()
        const wrong = (vectors[0] as Float32Array).map((value, i) => (i % 2 ? value : -value))
        expect(new Golden().compare(offered, opened, wrong)).toContain('cosine')
        expect(new Golden().compare(offered, opened, wrong.fill(Number.NaN))).toContain('no number')
      })
    }
  })
})

describe('the table of models', () => {
  it('closes what was used longest ago when there are too many, and what is idle', async () => {
    const [first] = table.offered
    const taps = ['hidden_states.1', 'hidden_states.2', 'hidden_states.3', 'hidden_states.4']
    for (const tap of taps) await table.use(first!, { tap }, async () => {})
    await expect.poll(() => table.count).toBeLessThanOrEqual(3)
    // While all are in use, no further one is opened.
    const waiting: (() => void)[] = []
    const held = taps
      .slice(1)
      .map((tap) => table.use(first!, { tap }, () => new Promise<void>((resolve) => waiting.push(resolve))))
    await expect.poll(() => waiting.length).toBe(3)
    await expect(table.use(first!, { tap: taps[0]! }, async () => {})).rejects.toMatchObject({ status: 429 })
    for (const end of waiting) end()
    await Promise.all(held)
    const idle = new ModelTable(table.offered, {
      idle: 100,
      memory: 1e12,
      most: 3,
      runtime: { workers: 1, threads: 1 },
    })
    await idle.use(first!, {}, async () => {})
    expect(idle.isOpen(first!.name)).toBe(true)
    await expect.poll(() => idle.isOpen(first!.name), { timeout: 5000 }).toBe(false)
    await idle.close()
  })

  it('remembers for a while what could not be opened', async () => {
    const [first] = table.offered
    await expect(table.use(first!, { tap: 'none' }, async () => {})).rejects.toMatchObject({
      code: 'LAYER_UNKNOWN',
    })
    await expect(table.use(first!, { tap: 'none' }, async () => {})).rejects.toMatchObject({
      code: 'LAYER_UNKNOWN',
    })
  })

  it('opens a recipe of its own models as that model', async () => {
    const e = await embedder('all-MiniLM-L6-v2', { runtime: { workers: 1, threads: 1 } })
    const { recipe } = e
    await e.dispose()
    await table.useRecipe(recipe, async ({ key }) => expect(JSON.parse(key)[0]).toBe('all-MiniLM-L6-v2'))
  })
})
