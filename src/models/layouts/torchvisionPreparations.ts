/**
 * Preparation of pictures of torchvision 0.29.2, as `weights.transforms()` gives it. Written by
 * testdata/make_torchvision_preparations.py: by settings (size, interpolation, crop ratio, mean and deviation), the hashes in the names of published
 * files.
 */
export const torchvisionPreparations: readonly (readonly [settings: string, hashes: string])[] = [
  ['224 bicubic 0.875 imagenet', '7f5810bc'],
  ['224 bicubic 0.910569 imagenet', '5e29d889'],
  ['224 bicubic 0.941176 imagenet', '68c6b09e'],
  ['224 bicubic 0.965517 imagenet', '704ceda3'],
  ['224 bicubic 1.0 imagenet', '4d563306 4e70ced5 bc5ab103 c1eb923e cbe8ce12 e1583746 f3ec0043'],
  [
    '224 bilinear 0.875 0.48235,0.45882,0.40784/0.00392156862745098,0.00392156862745098,0.00392156862745098',
    '88682ab5',
  ],
  [
    '224 bilinear 0.875 imagenet',
    '03ceed89 047dcff4 0676ba61 1378be20 19584684 1b27b58c 2007eb11 32ee1156 394f9c45 397923af 3ffadce67e 4dee3f7a 5666bf0f80 6002323d 63fe2227 6c64b313 7be5be79 7cdf4587 8738ca79 8a719046 8ba56ff5 8d451a50 95faca4d 9d47f8d0 9e6ed7dd a639ec97 abd245e5 ad17e45c adf1edd5 b0353104 b11a554e b2777c0a b5a9779c b627a593 b66bff10 b8a52dc0 c1103571 c65dace8 c7638314 c79401a0 c867db91 d0d0e4a8 d86f8d99 dcbb9e9d e3633e7f f206786ef8 f342aeae f37072fd f707e7126e',
  ],
  ['224 bilinear 0.9256198347107438 imagenet', '852ce7e3'],
  ['224 bilinear 0.9491525423728814 imagenet', '983f1562'],
  [
    '224 bilinear 0.965517 imagenet',
    '0d7bc02a 110c445d 11ad3fa6 173b62eb 1a0047aa 2b70d774 3c479a10 3e4a00f9 58fc7688 5c1a4163 6075fbad 62229a5f 6eb8fdc6 7071aa85 7090bc5f 7ebf99e0 8be3c8ee 8db6d4b5 9180c971 94a99ebd 9ba9bcbe a12f2b72 a4c69d6f ba3796d7 cd907fc2 d733dc28 dc2b1b54 e6988f5f ea097f82 f82ba261',
  ],
  ['224 bilinear 0.973913 imagenet', '0c510722'],
  ['240 bicubic 0.9375 imagenet', 'bac287d4'],
  ['240 bilinear 0.941176 imagenet', 'c27df63c'],
  ['256 bicubic 0.941176 imagenet', '781e5279'],
  ['256 bicubic 0.984615 imagenet', '637d8ceb b137f0e2'],
  ['288 bicubic 1.0 imagenet', 'c35c1473'],
  ['299 bilinear 0.874269 imagenet', '0cc3c7bd'],
  ['300 bicubic 0.9375 imagenet', 'b3899882'],
  ['380 bicubic 0.989583 imagenet', '23ab8bcd'],
  ['384 bicubic 1.0 imagenet', '04fdfa75 43afe44d 9ac1b537 c8ce3e52'],
  ['384 bilinear 1.0 imagenet', 'dd5fe13b'],
  ['456 bicubic 1.0 imagenet', '1a07897c'],
  ['480 bicubic 1.0 half', '59c71312'],
  ['480 bilinear 1.0 imagenet', 'dc08266a'],
  ['512 bicubic 1.0 imagenet', '4f3808c9'],
  ['518 bicubic 1.0 imagenet', '80465313'],
  ['528 bicubic 1.0 imagenet', '24a108a5'],
  ['600 bicubic 1.0 imagenet', 'c5b4e57e'],
]
