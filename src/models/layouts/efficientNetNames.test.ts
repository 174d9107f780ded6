import { expect, it } from 'vitest'
import type { Initializer } from '../../graph/index.ts'
import { timmNames } from './efficientNetNames.ts'

const tensor = (...shape: number[]): Initializer => ({
  dtype: 'float32',
  shape,
  file: { path: 'weights.bin', offset: 0, length: 0 },
})

it('tensors of efficientnet_pytorch get timm’s names, blocks counted in their stages', () => {
  const tensors = new Map([
    ['_conv_stem.weight', tensor(32, 3, 3, 3)],
    ['_bn0.bias', tensor(32)],
    ['_blocks.0._depthwise_conv.weight', tensor(32, 1, 3, 3)],
    ['_blocks.0._bn1.running_var', tensor(32)],
    ['_blocks.0._project_conv.weight', tensor(16, 32, 1, 1)],
    ['_blocks.0._bn2.weight', tensor(16)],
    ['_blocks.1._expand_conv.weight', tensor(96, 16, 1, 1)],
    ['_blocks.1._project_conv.weight', tensor(24, 96, 1, 1)],
    ['_blocks.2._expand_conv.weight', tensor(144, 24, 1, 1)],
    ['_blocks.2._bn0.weight', tensor(144)],
    ['_blocks.2._se_reduce.bias', tensor(6)],
    ['_blocks.2._project_conv.weight', tensor(24, 144, 1, 1)],
    ['_blocks.2._bn2.weight', tensor(24)],
    ['_conv_head.weight', tensor(1280, 24, 1, 1)],
    ['_bn1.weight', tensor(1280)],
    ['_fc.weight', tensor(1000, 1280)],
  ])
  expect([...timmNames(tensors).keys()]).toEqual([
    'conv_stem.weight',
    'bn1.bias',
    'blocks.0.0.conv_dw.weight',
    'blocks.0.0.bn1.running_var',
    'blocks.0.0.conv_pw.weight',
    'blocks.0.0.bn2.weight',
    'blocks.1.0.conv_pw.weight',
    'blocks.1.0.conv_pwl.weight',
    'blocks.1.1.conv_pw.weight',
    'blocks.1.1.bn1.weight',
    'blocks.1.1.se.conv_reduce.bias',
    'blocks.1.1.conv_pwl.weight',
    'blocks.1.1.bn3.weight',
    'conv_head.weight',
    'bn2.weight',
    'classifier.weight',
  ])
  const others = new Map([['conv1.weight', tensor(64, 3, 7, 7)]])
  expect(timmNames(others)).toBe(others)
})
