// For tests only: random shapes.
import fc from 'fast-check'

/** Two shapes that broadcast, of sizes 1 to 3. */
export const broadcastShapes: fc.Arbitrary<readonly [a: number[], b: number[]]> = fc
  .array(fc.tuple(fc.integer({ min: 2, max: 3 }), fc.constantFrom('both', 'a', 'b')), { maxLength: 3 })
  .chain((axes) =>
    fc.tuple(fc.nat(axes.length), fc.boolean()).map(([cut, isFirst]) => {
      const a = axes.map(([size, which]) => (which === 'b' ? 1 : size))
      const b = axes.map(([size, which]) => (which === 'a' ? 1 : size))
      return isFirst ? ([a.slice(cut), b] as const) : ([a, b.slice(cut)] as const)
    }),
  )
