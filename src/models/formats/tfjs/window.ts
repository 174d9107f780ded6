// Windows of TensorFlow's convolutions: their sizes and SAME padding.

/** A height and a width. */
export type Pair = readonly [height: number, width: number]

/**
 * [top, left, bottom, right] of TensorFlow's SAME padding: it keeps ⌈size / stride⌉ windows and puts an odd pixel behind
 * (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
 *
 * @param size undefined where it is not known, which only a stride of 1 allows
 * @returns undefined where it depends on an unknown size
 */
export function samePads(
  size: readonly (number | undefined)[],
  window: Pair,
  strides: Pair,
  dilations: Pair,
): number[] | undefined {
  const totals = ([0, 1] as const).map((axis) => {
    const reach = (window[axis] - 1) * dilations[axis] + 1
    const length = size[axis]
    if (strides[axis] === 1) return reach - 1
    return length === undefined
      ? undefined
      : Math.max((Math.ceil(length / strides[axis]) - 1) * strides[axis] + reach - length, 0)
  })
  if (!totals.every((total) => total !== undefined)) return undefined
  const before = totals.map((total) => Math.floor(total / 2))
  return [...before, ...totals.map((total) => Math.ceil(total / 2))]
}
