// A model as one that takes the tensors of its graph, whatever its own modality is.
import type { Model } from '../types.ts'

/** The model with modality `tensor`: its inputs are fed as they are, and nothing is said of its pooling. */
export async function asTensors(model: Model): Promise<Model> {
  if (model.modality === 'tensor') return model
  const { tensorUse } = await import('../layouts/onnxTensors.ts')
  const { createModel } = await import('./model.ts')
  const { text: _, image: __, ...rest } = model.card
  const { card } = tensorUse(model.graph, rest)
  const { opened } = model
  return createModel({
    ...model,
    tokenizer: undefined,
    card: { ...card, name: model.name, source: model.card.source },
    opened: { ...opened, card: { ...opened.card, modality: 'tensor' } },
  })
}
