import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Kernel, type KernelPca, kernelPca, loadReducer } from '../index.ts'
import { difference, digits, reference, some } from '../testing/reference.ts'

const known = some(digits, 0, 200)
const other = some(digits, 200, 206)
const cases: Record<Kernel, object> = {
  rbf: { gamma: 0.002 },
  polynomial: { gamma: 0.001, degree: 3, coef0: 1 },
  cosine: {},
  linear: {},
}

describe('kernelPca', () => {
  it.each(Object.keys(cases) as Kernel[])("agrees with scikit-learn's up to signs: %s", async (kernel) => {
    const wanted = reference.kernelPca[kernel]
    const reducer = await kernelPca.fit(known, { kernel, components: 5, inverse: 0.5, ...cases[kernel] })
    const short = await reducer.transform(other)
    expect(difference(reducer.eigenvalues, wanted.eigenvalues)).toBeLessThan(1e-6)
    expect(difference(short.data, wanted.transformed, 5)).toBeLessThan(1e-5)
    const back = await reducer.inverse(some(short, 0, 2))
    expect(difference(back.data, wanted.inverse)).toBeLessThan(1e-5)
    const folder = await mkdtemp(join(tmpdir(), 'pipilo-kernel-'))
    try {
      await reducer.save(join(folder, 'kernel.safetensors'))
      const loaded = (await loadReducer(join(folder, 'kernel.safetensors'))) as KernelPca
      expect(loaded.kernel).toBe(kernel)
      expect(await loaded.transform(other)).toEqual(short)
      expect(await loaded.inverse(some(short, 0, 2))).toEqual(back)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it.each(Object.keys(cases) as Kernel[])('refuses rows that are all equal: %s', async (kernel) => {
    for (const rows of [3, 7, 50, 1000]) {
      const row = [0.1, 0.7, -1.3].map((value) => value * Math.sqrt(rows))
      const same = Array.from({ length: rows }, () => row)
      await expect(kernelPca.fit(same, { kernel, components: 1 }), `${rows} rows`).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        hint: 'All rows are equal there.',
      })
    }
  })

  it('takes rows far from the origin that lie close together', async () => {
    const near = Array.from({ length: 12 }, (_, i) => [1000 + Math.sin(i), 1000 + Math.cos(i)])
    const { eigenvalues } = await kernelPca.fit(near, { kernel: 'linear', components: 2 })
    expect(eigenvalues[1]).toBeGreaterThan(1)
  })

  it('answers bad input with an error that says what is wrong', async () => {
    await expect(kernelPca.fit(other, { components: 7 })).rejects.toThrow('components is 7; there are 6 rows')
    await expect(kernelPca.fit([[1], [1], [1]], { components: 1 })).rejects.toThrow('in 0 directions only')
    await expect(kernelPca.fit([[1], [2], [3]], { kernel: 'linear', components: 2 })).rejects.toThrow(
      'in 1 directions only',
    )
    await expect(kernelPca.fit(other, { kernel: 'sigmoid' as Kernel })).rejects.toThrow("kernel is 'sigmoid'")
    await expect(kernelPca.fit(other, { gamma: 0 })).rejects.toThrow('gamma is 0')
    await expect(
      kernelPca.fit(
        [
          [1, 2],
          [-9, 1],
        ],
        { kernel: 'polynomial', degree: 0.5, components: 1 },
      ),
    ).rejects.toThrow('no finite number')
    const reducer = await kernelPca.fit(other)
    await expect(reducer.inverse([[1, 2]])).rejects.toThrow('The way back was not learnt')
    await expect(kernelPca.fit({ rows: 20_001, columns: 1, data: new Float32Array(20_001) })).rejects.toThrow(
      'Fit it on a sample of at most 20000',
    )
  })
})
