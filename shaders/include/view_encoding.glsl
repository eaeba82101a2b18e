// Degrees 1 and 2 of the real spherical harmonics of a unit direction, as view_bands in app/scene/network.py.
void encode_view(vec3 d, out vec4 low, out vec4 high) {
    low = vec4(0.4886025 * d.y, 0.4886025 * d.z, 0.4886025 * d.x, 1.0925484 * d.x * d.y);
    high = vec4(1.0925484 * d.y * d.z, 0.3153916 * (3.0 * d.z * d.z - 1.0), 1.0925484 * d.x * d.z,
                0.5462742 * (d.x * d.x - d.y * d.y));
}
