// A model as one that takes the tensors of its graph, whatever its own modality is.
import type { Model } from '../types.ts'

/** The model with modality `tensor`: its inputs are fed as they are, and nothing is said of its pooling. */
export async function asTensors(model: Model): Promise<Model> {
  if (model.modality === 'tensor') return model
  const { tensorCard } = await import('../layouts/onnxTensors.ts')
  const { createModel } = await import('./model.ts')
  const { opened } = model
  return createModel({
    ...model,
    tokenizer: undefined,
    card: tensorCard(model.graph, model.card),
    opened: { ...opened, card: { ...opened.card, modality: 'tensor' } },
  })
}
