import { type BuildModel, textArchitectures } from '../nn/index.ts'

/** An architecture that is built here. */
export interface Architecture {
  readonly modality: 'text' | 'image' | 'both'
  readonly build: BuildModel
}

/** The one place where names of architectures meet their builders in `nn/`. */

/** By transformers' `model_type`. */
export function findByType(type: string): Architecture | undefined {
  if (Object.hasOwn(textArchitectures, type)) return { modality: 'text', build: textArchitectures[type]! }
  return undefined
}

/** By timm's or torchvision's name. */
export function findByName(_name: string): Architecture | undefined {
  return undefined
}

/** The names of transformers' architectures. */
export function knownTypes(): string[] {
  return Object.keys(textArchitectures)
}

/** The names of timm's and torchvision's architectures. */
export function knownNames(): string[] {
  return []
}
