import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadReducer, pca } from './index.ts'

it('A saved reducer whose numbers are not finite is refused', { timeout: 120_000 }, async () => {
  const rows = Array.from({ length: 8 }, (_, i) => Float32Array.of(i, i * i, 1 / (1 + i)))
  const folder = await mkdtemp(join(tmpdir(), 'pipilo-reducer-'))
  const path = join(folder, 'pca.safetensors')
  await (await pca.fit(rows, { components: 2 })).save(path)
  const bytes = await readFile(path)
  bytes.writeDoubleLE(Number.NaN, bytes.length - 8)
  await writeFile(path, bytes)
  await expect(loadReducer(path)).rejects.toMatchObject({ code: 'FORMAT_INVALID' })
  await rm(folder, { recursive: true })
})
