/** Writes a network as one graph with its card: for models that no configuration describes. */
import { join } from 'node:path'
import { makeFolder } from '../../base/files/index.ts'
import type { Graph } from '../../graph/index.ts'
import { type Model, withGraph } from '../../models/index.ts'

/** A network that is to be written. */
export interface OnnxFolder {
  /** The model that it began as. */
  readonly model: Model
  /** With its new weights. */
  readonly graph: Graph
  /** Value that was trained to be the embedding, and its length. */
  readonly representation: string
  readonly dimensions: number
}

/**
 * Writes `model.onnx`: the graph, and in its metadata the card (preparation, tap, pooling, normalisation) and the tokenizer, so that
 * `embedder(folder)` opens it.
 *
 * @throws `WRITE_FAILED`
 */
export async function writeOnnxFolder(folder: string, given: OnnxFolder): Promise<void> {
  const { model, graph, representation, dimensions } = given
  await makeFolder(folder)
  const changed = await withGraph(model, graph, { tap: representation, dimensions })
  await changed.save(join(folder, 'model.onnx'))
}
