/** A small graph run once for each step of a sequence. */
import { type Attribute, Builder, type Value } from '../graph/index.ts'

/** The graph that {@link steps} runs. */
export interface Steps {
  /** Values from one step to the next, at the first. */
  readonly states: readonly Value[]
  /** Sequences along axis 0: a step sees one element of each. */
  readonly sequences: readonly Value[]
  /** Values of the graph around, which every step sees whole; each must be the output of a node. */
  readonly around: readonly Value[]
  /** True to begin with the last element. */
  readonly isReversed: boolean
  /** Builds one step: the next states, and further values that become sequences. */
  readonly body: (
    states: readonly Value[],
    elements: readonly Value[],
    around: readonly Value[],
  ) => readonly Value[]
}

/** ONNX's Scan: the last states, then the sequences that the steps made, in the order of the input. */
export function steps(
  builder: Builder,
  { states, sequences, around, isReversed, body }: Steps,
): readonly Value[] {
  // Inside, no value may have a name that is taken outside.
  const [name] = [...around, ...sequences].map((value) => `${value.name}/step`)
  const inner = new Builder({ opset: builder.opset, name: 'step' })
  const made = inner.scope(name!, () => {
    const input = (value: Value, i: number, kind: string, from = 0) =>
      inner.input(`${name}/${kind}${i}`, value.dtype, value.shape.slice(from))
    const given = states.map((value, i) => input(value, i, 'state'))
    const elements = sequences.map((value, i) => input(value, i, 'element', 1))
    const seen = around.map((value) => inner.input(value.name, value.dtype, value.shape))
    return body(given, elements, seen)
  })
  for (const [i, value] of made.entries()) inner.output(`${name}/result${i}`, value)
  const outer = new Set(around.map((value) => value.name))
  const whole = inner.build()
  const step = { ...whole, inputs: whole.inputs.filter((info) => !outer.has(info.name)), opsets: new Map() }
  const count = made.length - states.length
  const directions = (length: number): Attribute => ({
    type: 'ints',
    value: Array.from({ length }, () => Number(isReversed)),
  })
  return builder.node(
    'Scan',
    [...states, ...sequences],
    {
      body: { type: 'graph', value: step },
      num_scan_inputs: { type: 'int', value: sequences.length },
      scan_input_directions: directions(sequences.length),
      scan_output_directions: directions(count),
    },
    { outputs: made.length },
  )
}
