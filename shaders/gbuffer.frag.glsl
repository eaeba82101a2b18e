// The nearest surface of one shell.
//   LAYER 0: the outer shell.  LAYER 1: the inner shell, peeled behind what layer 0 drew.
//   SURFACE 0: features (and, in layer 0, the encoded view direction) for shading.
//   SURFACE 1: where the ray hit, for baking and inspection: uv, distance from the eye, face number + 1; normal.
#include "include/view_encoding.glsl"

uniform vec3 u_eye;
#if LAYER == 1
uniform sampler2D u_first_depth;
#endif

in vec3 v_position;
in vec2 v_uv;

#if SURFACE == 1
layout(location = 0) out vec4 o_surface;
layout(location = 1) out vec4 o_normal;
#else
uniform sampler2DArray u_features;
uniform vec4 u_scale[FEATURE_TEXTURES];
uniform vec4 u_offset[FEATURE_TEXTURES];

vec4 features(int index) {
    return u_offset[index] + u_scale[index] * texture(u_features, vec3(v_uv, float(index)));
}

layout(location = 0) out vec4 o_features0;
#if FEATURE_TEXTURES > 1
layout(location = 1) out vec4 o_features1;
#endif
#if FEATURE_TEXTURES > 2
layout(location = 2) out vec4 o_features2;
#endif
#if LAYER == 0
layout(location = VIEW_LOCATION0) out vec4 o_view0;
layout(location = VIEW_LOCATION1) out vec4 o_view1;
#endif
#endif

void main() {
#if LAYER == 1
    float first = texelFetch(u_first_depth, ivec2(gl_FragCoord.xy), 0).r;
    if (first >= 1.0 || gl_FragCoord.z <= first + 1.2e-7)  // two steps of a 24-bit depth buffer
        discard;
#endif
#if SURFACE == 1
    o_surface = vec4(v_uv, distance(u_eye, v_position), float(gl_PrimitiveID + 1));
    vec3 normal = cross(dFdx(v_position), dFdy(v_position));
    o_normal = vec4(normal / max(length(normal), 1e-20), 1.0);
#else
    o_features0 = features(0);
#if FEATURE_TEXTURES > 1
    o_features1 = features(1);
#endif
#if FEATURE_TEXTURES > 2
    o_features2 = features(2);
#endif
#if LAYER == 0
    encode_view(normalize(v_position - u_eye), o_view0, o_view1);
#endif
#endif
}
