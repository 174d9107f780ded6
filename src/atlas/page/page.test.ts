import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EmbeddingMap } from '../types.ts'
import {
  channelsOf,
  groupColor,
  type LabelWish,
  PointGrid,
  pageData,
  placeLabels,
  pointsWithin,
  readGroups,
  readView,
} from './index.ts'

const coordinate = fc.float({ min: -1, max: 1, noNaN: true })
const cloud = fc.array(fc.tuple(coordinate, coordinate), { minLength: 1, maxLength: 80 })

it('The nearest point of the grid is the nearest of all.', () => {
  fc.assert(
    fc.property(
      cloud,
      coordinate,
      coordinate,
      fc.float({ min: 0, max: 2, noNaN: true }),
      (places, x, y, radius) => {
        const points = Float32Array.from(places.flat())
        const distances = places.map((_, i) => (points[2 * i]! - x) ** 2 + (points[2 * i + 1]! - y) ** 2)
        const found = new PointGrid(points).nearest(x, y, radius)
        const least = Math.min(...distances)
        if (least > radius ** 2) expect(found).toBe(-1)
        else expect(distances[found]).toBe(least)
        expect(new PointGrid(points).nearest(x, y, 4, () => false)).toBe(-1)
      },
    ),
  )
})

it('Points within a line are those within the polygon, whichever way it is drawn.', () => {
  const points = [0, 0, 0.5, 0.5, 0.9, 0.9, -0.5, 0.2, 0.5, -0.5]
  const square = [-0.6, -0.6, 0.6, -0.6, 0.6, 0.6, -0.6, 0.6]
  expect(pointsWithin(points, square)).toEqual([0, 1, 3, 4])
  // A corner cut out.
  const notched = [-0.6, -0.6, 0.6, -0.6, 0.6, 0.1, 0.1, 0.1, 0.1, 0.6, -0.6, 0.6]
  expect(pointsWithin(points, notched)).toEqual([0, 3, 4])
  expect(pointsWithin(points, [0, 0])).toEqual([])
})

it('No label covers another, and none leaves the frame.', () => {
  const wish = fc.record({
    x: fc.integer({ min: 0, max: 300 }),
    y: fc.integer({ min: 0, max: 200 }),
    width: fc.integer({ min: 1, max: 120 }),
    height: fc.integer({ min: 1, max: 40 }),
    at: fc.constantFrom<LabelWish['at']>('center', 'beside'),
  })
  fc.assert(
    fc.property(fc.array(wish, { maxLength: 60 }), (wishes) => {
      const dots = wishes.flatMap(({ x, y }) => [x, y])
      const placed = placeLabels(wishes, { left: 0, top: 0, right: 300, bottom: 200 }, dots)
      for (const [i, a] of placed.entries()) {
        const own = wishes[a.index]!
        expect(a.x >= 0 && a.y >= 0 && a.x + own.width <= 300 && a.y + own.height <= 200).toBe(true)
        for (const b of placed.slice(i + 1)) {
          const other = wishes[b.index]!
          const isApart =
            a.x + own.width <= b.x ||
            b.x + other.width <= a.x ||
            a.y + own.height <= b.y ||
            b.y + other.height <= a.y
          expect(isApart).toBe(true)
        }
      }
    }),
  )
})

it('A label beside a point keeps off other points where it can.', () => {
  const [only] = placeLabels(
    [{ x: 100, y: 100, width: 40, height: 12, at: 'beside' }],
    { left: 0, top: 0, right: 300, bottom: 300 },
    [100, 100, 120, 100],
  )
  expect(only).toEqual({ index: 0, x: 54, y: 94 })
})

describe('Colours', () => {
  it('of the first hundred groups differ', () => {
    const colors = Array.from({ length: 100 }, (_, i) => groupColor(i))
    expect(new Set(colors).size).toBe(100)
    for (const color of colors) {
      expect(color).toMatch(/^#[\da-f]{6}$/)
      expect(channelsOf(color).every((value) => value >= 0 && value <= 255)).toBe(true)
    }
  })
})

describe('Data of a page', () => {
  const map: EmbeddingMap = {
    items: [
      { id: 'a', text: '</script><b>' },
      { id: 'b', label: 'x' },
    ],
    views: [
      {
        name: 'v',
        method: 'pca',
        points: Float32Array.of(-1, 0.25, 1, -0.25),
        neighbours: Uint32Array.of(1, 0),
        similarities: Float32Array.of(0.5, 0.5),
      },
    ],
    groups: { kind: 'cluster', names: ['c'], of: Uint32Array.of(0, 0) },
    near: 1,
    skipped: [],
  }

  it('goes through JSON without a loss', () => {
    const data = JSON.parse(JSON.stringify(pageData(map, { title: 't', first: 0, epochs: false, notes: [] })))
    expect(readView(data, 0)).toEqual(map.views[0])
    expect(readGroups(data)).toEqual(map.groups.of)
    expect(data).toMatchObject({ texts: ['</script><b>', null], labels: [null, 'x'] })
  })

  it('that is cut off is refused', () => {
    const data = pageData(map, { title: 't', first: 0, epochs: false, notes: [] })
    const cut = { ...data, groups: { ...data.groups, of: 'AAAA' } }
    expect(() => readGroups(cut)).toThrow(/A row of 2 numbers has 3 bytes/)
  })
})
