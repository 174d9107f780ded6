// Pictures made by a formula, for references and tests without files.
import type { Tensor } from '../../../../tensor/index.ts'

/**
 * A picture made by a formula, so that a reference and a test can share it without a file: a coarse grid of random
 * colours, blended smoothly, with a little noise.
 *
 * @returns bytes [size, size, 3], RGB, 0 to 255
 */
export function seededPicture(seed: number, size: number): Uint8Array {
  let state = seed >>> 0
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  }
  const cells = 7
  const grid = Array.from({ length: (cells + 1) * (cells + 1) * 3 }, random)
  const picture = new Uint8Array(size * size * 3)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      for (let c = 0; c < 3; c++) {
        const row = Math.floor((y * cells) / size)
        const column = Math.floor((x * cells) / size)
        const down = (y * cells) / size - row
        const right = (x * cells) / size - column
        const at = (i: number, j: number) => grid[((row + i) * (cells + 1) + column + j) * 3 + c]!
        const blended =
          at(0, 0) * (1 - down) * (1 - right) +
          at(0, 1) * (1 - down) * right +
          at(1, 0) * down * (1 - right) +
          at(1, 1) * down * right
        picture[(y * size + x) * 3 + c] = Math.floor(0.875 * blended + 0.125 * random())
      }
    }
  }
  return picture
}

/** Bytes [height, width, 3] as `pixel_values`, from 0 to 1 as nsfwjs feeds its models. */
export function pixelValues(bytes: Uint8Array, height: number, width: number): Tensor {
  const area = height * width
  const data = Float32Array.from(
    { length: 3 * area },
    (_, i) => bytes[(i % area) * 3 + Math.floor(i / area)]! / 255,
  )
  return { dtype: 'float32', shape: [1, 3, height, width], data }
}
