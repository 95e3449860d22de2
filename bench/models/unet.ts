import { UNET_SMALL } from '../../models/unet/config.ts';
import { unet } from '../../models/unet/model.ts';

/** Two resolutions of 32 and 64 channels, with self- and cross-attention at the higher one. */
export default unet('unet', UNET_SMALL);
