import { parseHTML } from 'linkedom'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { confusionMatrixPlot, depthPlot, similarityPlot } from '../index.ts'

const textsOf = (svg: string) =>
  [...parseHTML(svg).document.querySelectorAll('text')].map(({ textContent }) => textContent)
const dark = 'prefers-color-scheme: dark'

/** The texts of a plot that a picture library can draw; no number in it may be missing. */
async function drawn(svg: string): Promise<string[]> {
  const { width, height } = await sharp(Buffer.from(svg)).metadata()
  expect(Math.min(width, height)).toBeGreaterThan(100)
  expect(svg).toContain(dark)
  expect(svg).not.toMatch(/NaN|undefined/)
  return textsOf(svg) as string[]
}

describe('plots', () => {
  it('of confusion name the classes on both axes and the counts between', async () => {
    const classes = ['towhee', 'owl & <wren>']
    const texts = await drawn(
      await confusionMatrixPlot(
        [
          [31, 2],
          [0, 17],
        ],
        { classes, title: 'birds' },
      ),
    )
    for (const text of ['birds', '31', '2', '17', 'label', 'predicted']) expect(texts).toContain(text)
    expect(texts.filter((text) => text === 'towhee')).toHaveLength(2)
    expect(texts.filter((text) => text === 'owl & <wren>')).toHaveLength(2)
    // A class may have no examples, and clusters have names of their own.
    await drawn(
      await confusionMatrixPlot(
        [
          [0, 0, 0],
          [1, 2, 3],
        ],
        { columns: ['a', 'b', 'c'] },
      ),
    )
    const many = Array.from({ length: 120 }, (_, i) => Array.from({ length: 120 }, (_, j) => +(i === j)))
    expect((await drawn(await confusionMatrixPlot(many))).length).toBeLessThan(250)
    await expect(confusionMatrixPlot([])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(confusionMatrixPlot([[1, 2]], { classes: ['a', 'b'] })).rejects.toThrow(/belong together/)
    await expect(confusionMatrixPlot([[1, 2], [1]])).rejects.toThrow(/Row 1/)
  })

  it('of similarities show cosines, of one embedding or of several', async () => {
    const vectors = [
      [1, 0],
      [1, 1],
      [-1, 0],
    ]
    const texts = await drawn(await similarityPlot(vectors, { labels: ['a', 'b', 'c'] }))
    expect(texts.filter((text) => text === '.71')).toHaveLength(2)
    expect(texts).toContain('-1.00')
    const both = await drawn(await similarityPlot({ early: vectors, late: vectors }))
    expect(both).toContain('early')
    await expect(similarityPlot([])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(similarityPlot([[1, Number.NaN]])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
    await expect(similarityPlot({ a: vectors, b: vectors.slice(1) })).rejects.toThrow(/belong together/)
  })

  it('of depth name the best layer and the default, of each model', async () => {
    const layers = [0.5, 0.8, 0.7].map((value, i) => ({
      layer: `layer${i}`,
      depth: (i + 1) / 3,
      isDefault: i === 2,
      main: { measure: 'spearman', value, interval: { low: value - 0.1, high: value + 0.1 } },
    }))
    const texts = await drawn(await depthPlot({ one: layers, other: layers.slice(0, 2) }))
    expect(texts).toContain('one: ★ best layer1 0.8000, ● default layer2 0.7000')
    expect(texts).toContain('other: ★ best layer1 0.8000')
    expect(texts).toContain('spearman')
    await drawn(
      await depthPlot(
        layers.slice(2).map(({ layer, depth, isDefault, main: { measure, value } }) => ({
          layer,
          depth,
          isDefault,
          main: { measure, value },
        })),
      ),
    )
    await expect(depthPlot([])).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  })
})
