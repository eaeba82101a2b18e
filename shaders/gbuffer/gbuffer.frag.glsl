// Where rays hit one shell first. As small as it can be: many triangles are drawn that others hide.
//   LAYER 0: the outer shell.  LAYER 1: the inner shell, peeled behind what layer 0 drew.
//   SURFACE 0: hits for shading, 16 bits each: uv, level of detail, 1.
//   SURFACE 1: for baking and inspection: uv, distance from the eye, face number + 1; normal, level.
//   UV_STEPS, LOWEST_LEVEL, LEVEL_STEPS: the steps of hits, as in app/passes/gbuffer.py.
#if LAYER == 1
uniform sampler2D u_first_depth;
#endif

in vec2 v_uv;

#if SURFACE == 1
uniform vec3 u_eye;
in vec3 v_position;
layout(location = 0) out vec4 o_surface;
layout(location = 1) out vec4 o_normal;
#else
layout(location = 0) out vec4 o_hit;
#endif

// The level of detail of a texture of one texel, by the area that a pixel covers of it.
float unit_level() {
    vec2 right = dFdx(v_uv), up = dFdy(v_uv);
    return 0.5 * log2(max(abs(right.x * up.y - right.y * up.x), 1e-9));
}

void main() {
    float level = unit_level();
#if LAYER == 1
    float first = texelFetch(u_first_depth, ivec2(gl_FragCoord.xy), 0).r;
    if (first >= 1.0 || gl_FragCoord.z <= first + 1.2e-7)  // two steps of a 24-bit depth buffer
        discard;
#endif
#if SURFACE == 1
    o_surface = vec4(v_uv, distance(u_eye, v_position), float(gl_PrimitiveID + 1));
    vec3 normal = cross(dFdx(v_position), dFdy(v_position));
    o_normal = vec4(normal / max(length(normal), 1e-20), level);
#else
    o_hit = vec4(v_uv * (UV_STEPS / 65535.0), (level - LOWEST_LEVEL) * (LEVEL_STEPS / 65535.0), 1.0);
#endif
}
