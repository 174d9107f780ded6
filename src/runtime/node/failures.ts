// ONNX Runtime's error messages, read for the node and the operator that they name.
import { PipiloError } from '../../base/index.ts'

// Messages open with this when the library was built with exceptions.
const PREFIX = /^(Load model from .*? failed:|Error: |Exception during initialization: )/s

/** The error of a run: {@link PipiloError} `RUNTIME`, naming the node where the message does. */
export function runError(error: unknown): PipiloError {
  if (error instanceof PipiloError) return error
  const message = messageOf(error)
  const node = /while running (\S+) node\. Name:\s*'([^']*)'\s*Status Message:\s*(.*)/s.exec(message)
  if (!node) return new PipiloError('RUNTIME', `ONNX Runtime could not run the graph: ${sentence(message)}`)
  const [, op, name = '', reason = ''] = node
  return new PipiloError('RUNTIME', `Node "${name}" (${op}) failed: ${sentence(reason)}`, {
    hint: 'Check the shapes and values of the inputs against what the graph declares.',
    input: name,
  })
}

/** The error of making a session: `OPERATOR_UNSUPPORTED` or `GRAPH_INVALID`, naming node and operator where known. */
export function creationError(error: unknown): PipiloError {
  if (error instanceof PipiloError) return error
  const message = messageOf(error)
  const unsupported =
    /Could not find an implementation for (?<op>[\w.:]+)\(\S+ node with name '(?<name>[^']*)'/.exec(
      message,
    ) ??
    /Fatal error: (?<op>[\w.:]+)\(\S+ is not a registered function\/op/.exec(message) ??
    /No [Oo]p(?:Set)? registered for (?<op>[\w.:]+)/.exec(message)
  if (unsupported?.groups) {
    const { op, name } = unsupported.groups
    const node = name ?? /In Node, \("([^"]*)"/.exec(message)?.[1]
    return new PipiloError(
      'OPERATOR_UNSUPPORTED',
      `ONNX Runtime has no operator ${op} for ${node ? `node "${node}"` : 'this graph'}.`,
      { hint: `It said: ${sentence(message)}`, ...(node && { input: node }) },
    )
  }
  const node = /In Node, \("([^"]*)"/.exec(message)?.[1] ?? /in node \(([^)]*)\)/.exec(message)?.[1]
  return new PipiloError('GRAPH_INVALID', `ONNX Runtime refused the graph: ${sentence(message)}`, {
    ...(node && { input: node }),
  })
}

/** The error of taking back a step where there is none. */
export function nothingToUndo(): PipiloError {
  return new PipiloError('INPUT_INVALID', 'There is no step to take back.', {
    hint: 'Only the last step can be, once, and not after a write.',
  })
}

/** A message as one sentence. */
export function sentence(message: string): string {
  const text = message.replace(PREFIX, '').replaceAll(/\s+/g, ' ').trim()
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/** Characters of a message that are read: it repeats names of the file, and patterns are looked for in it. */
const LONGEST = 10_000

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, LONGEST)
}
