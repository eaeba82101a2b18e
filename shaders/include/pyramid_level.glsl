// Where a pixel finds its neighbours in the feature pyramid, see app/scene/network_in_numpy.py.
//   TAP_SPACING, MAX_LEVEL: as in app/scene/network.py.
uniform sampler2D u_hits;               // of the outer shell; alpha: scale / (1 + scale), 0 where it is missed
uniform vec4 u_places[MAX_LEVEL];       // of the levels from 1 on in the ring textures: first texel, size
uniform vec2 u_ring_size;               // of the ring textures, texels

float pyramid_level(float coverage) {
    float scale = coverage / max(1.0 - coverage, 1e-5);
    return clamp(log2(TAP_SPACING * scale), 0.0, float(MAX_LEVEL));
}

// Texture coordinates in the ring textures of the centre of ``pixel`` on a level.
vec2 ring_place(ivec2 pixel, int level) {
    vec4 place = u_places[level - 1];
    vec2 inside = clamp((vec2(pixel) + 0.5) / float(1 << level), vec2(0.5), place.zw - 0.5);
    return (place.xy + inside) / u_ring_size;
}
