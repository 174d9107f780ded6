// Configuration of OpenAI's CLIP from the shapes of its tensors.
import type { Initializer } from '../../graph/index.ts'

/**
 * The configuration, in OpenCLIP's words, of a CLIP of OpenAI whose checkpoint is all there is: sizes follow from the shapes of its
 * tensors, heads are 64 wide, and the activation is the one that OpenAI's were trained with.
 *
 * @returns undefined where the tensors are none of such a model
 * @see https://github.com/openai/CLIP/blob/main/clip/model.py `build_model`
 */
export function openAiConfig(
  tensors: ReadonlyMap<string, Initializer>,
): Readonly<Record<string, unknown>> | undefined {
  const shape = (name: string) => tensors.get(name)?.shape as readonly number[] | undefined
  const counted = (pattern: RegExp) =>
    new Set([...tensors.keys()].flatMap((name) => pattern.exec(name)?.[1] ?? [])).size
  const projection = shape('text_projection')
  const vocabulary = shape('token_embedding.weight')
  const positions = shape('positional_embedding')
  const conv1 = shape('visual.conv1.weight')
  if (!projection || !vocabulary || !positions || !conv1) return undefined
  const vit = shape('visual.positional_embedding')
  const table = vit ?? shape('visual.attnpool.positional_embedding')
  if (!table) return undefined
  const side = Math.round(Math.sqrt(table[0]! - 1))
  const stages = [1, 2, 3, 4].map((stage) => counted(new RegExp(`^visual\\.layer${stage}\\.(\\d+)\\.`)))
  const vision = vit
    ? {
        image_size: side * conv1[3]!,
        patch_size: conv1[3],
        width: conv1[0],
        layers: counted(/^visual\.transformer\.resblocks\.(\d+)\./),
      }
    : { image_size: side * 32, width: shape('visual.layer1.0.conv1.weight')?.[0], layers: stages }
  return {
    embed_dim: projection[1],
    quick_gelu: true,
    vision_cfg: vision,
    text_cfg: {
      context_length: positions[0],
      vocab_size: vocabulary[0],
      width: positions[1],
      heads: Math.max(1, Math.trunc(positions[1]! / 64)),
      layers: counted(/^transformer\.resblocks\.(\d+)\./),
    },
  }
}
