/** Architectures by the names that layouts meet: the registry of `nn/`, seen by kind of name. */
import { architectureNames, findArchitecture, type NamedArchitecture } from '../../nn/index.ts'

export type Architecture = NamedArchitecture

/** By transformers' `model_type`. */
export const findByType = (type: string): Architecture | undefined => findArchitecture(type, 'transformers')

/** By timm's name, with or without the tag behind its `.`, or torchvision's; `lenet` is LeNet-5. */
export const findByName = (name: string): Architecture | undefined => findArchitecture(name, 'timm')

/** The names of transformers' architectures. */
export const knownTypes = (): string[] => architectureNames('transformers')

/** The names of timm's and torchvision's architectures. */
export const knownNames = (): string[] => architectureNames('timm')
